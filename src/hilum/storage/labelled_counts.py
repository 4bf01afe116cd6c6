"""Counts labelled images without reading them. All of this SQL is here; knows no service."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from hilum.storage.dataset_tables import HAS_REASONS, LabelledImageRow


@dataclass(frozen=True)
class ClassCount:
    """How many accepted images a class has in a split from a source."""

    class_name: str
    split: str
    source: str
    count: int


@dataclass(frozen=True)
class Standing:
    """Equal as long as no image was accepted, changed or deleted."""

    last_sequence: int
    n_accepted: int


def standing(connection: Connection) -> Standing:
    """Where the images stand: what is changed has a higher sequence, what is deleted is accepted no more."""
    last_sequence = connection.execute(select(func.max(LabelledImageRow.sequence))).scalar() or 0
    return Standing(last_sequence, count(connection, status="accepted"))


def counts(connection: Connection) -> list[ClassCount]:
    """Accepted images by class, split and source."""
    columns = (LabelledImageRow.class_name, LabelledImageRow.split, LabelledImageRow.source)
    statement = select(*columns, func.count()).where(LabelledImageRow.status == "accepted")
    found = connection.execute(statement.group_by(*columns).order_by(*columns)).all()
    return [ClassCount(name, split, source, count) for name, split, source, count in found]


def count(connection: Connection, *, status: str, after: int = 0) -> int:
    """How many images have a status and came after a sequence."""
    statement = select(func.count()).where(LabelledImageRow.status == status, LabelledImageRow.sequence > after)
    return connection.execute(statement).scalar_one()


def group_counts(connection: Connection, split: str) -> dict[str, int]:
    """How many groups of accepted images each class has in a split."""
    columns = (LabelledImageRow.class_name, func.count(LabelledImageRow.group_name.distinct()))
    statement = select(*columns).where(LabelledImageRow.status == "accepted", LabelledImageRow.split == split)
    return {row[0]: row[1] for row in connection.execute(statement.group_by(LabelledImageRow.class_name))}


def reason_counts(connection: Connection, status: str) -> Counter[str]:
    """How many images of a status have each reason."""
    statement = select(LabelledImageRow.reasons).where(LabelledImageRow.status == status, HAS_REASONS)
    found = connection.execute(statement).scalars()
    return Counter(code for reasons in found for code in {reason["code"] for reason in reasons})
