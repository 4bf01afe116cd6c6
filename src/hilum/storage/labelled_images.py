"""Reads and writes labelled images. All of their SQL is here; knows no service."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, insert, inspect, select, text, update

from hilum.storage.database import take_time
from hilum.storage.dataset_tables import HAS_REASONS, LabelledImageRow

_AT_ONCE = 200
_LOCK = 0x68696C76
"""PostgreSQL's advisory lock under which only one transaction changes what may be trained on."""

_TABLE = LabelledImageRow.__table__


@dataclass(frozen=True)
class StoredImage:
    """A labelled image as it is shown; the fields are those of `LabelledImageRow`."""

    id: uuid.UUID
    sequence: int
    batch_id: uuid.UUID
    sha256: str
    class_name: str
    group_name: str
    split: str
    source: str
    status: str
    reasons: list[dict[str, str]]
    added_at: datetime
    file_format: str
    mode: str
    width: int
    height: int
    size_bytes: int
    kept_sha256: str | None


_SHOWN = tuple(_TABLE.c[field.name] for field in fields(StoredImage))


@dataclass(frozen=True)
class NewImage(StoredImage):
    """A labelled image to keep, with what copies of it are recognised by; `sequence` is given when it is added."""

    pixels_sha256: str | None
    sketch: bytes | None
    fingerprint: bytes | None


@dataclass(frozen=True)
class KnownImage:
    """What is compared with an image that comes in.

    Attributes:
        sketch: (128,) float32; None where the image cannot be decoded.
    """

    id: uuid.UUID
    sequence: int
    sha256: str
    pixels_sha256: str | None
    class_name: str
    group_name: str
    split: str
    status: str
    sketch: NDArray[np.float32] | None


@dataclass(frozen=True)
class ImageFilter:
    """Which images are meant; None means any."""

    class_name: str | None = None
    split: str | None = None
    source: str | None = None
    status: str | None = None


def lock(connection: Connection) -> int:
    """Makes others that change images wait until the transaction ends; on SQLite a writer is alone anyway.

    Returns:
        The highest sequence.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    return connection.execute(select(func.max(LabelledImageRow.sequence))).scalar() or 0


def add(connection: Connection, images: Iterable[NewImage], *, after: int) -> None:
    """Adds images of a batch that is there, some at a time, numbered from `after` on, under `lock`."""
    waiting = iter(images)
    while some := list(islice(waiting, _AT_ONCE)):
        rows = [asdict(image) | {"sequence": after + place} for place, image in enumerate(some, start=1)]
        connection.execute(insert(LabelledImageRow), rows)
        after += len(rows)


def known(connection: Connection, *, after: int = 0) -> Iterator[KnownImage]:
    """Every image, deleted ones too, whose sequence is above `after`, in that order."""
    names = ("id", "sequence", "sha256", "pixels_sha256", "class_name", "group_name", "split", "status", "sketch")
    statement = select(*(_TABLE.c[name] for name in names)).order_by(LabelledImageRow.sequence).limit(1000)
    while rows := connection.execute(statement.where(LabelledImageRow.sequence > after)).all():
        for row in rows:
            sketch = None if row.sketch is None else np.frombuffer(row.sketch, np.float32)
            yield KnownImage(**{**row._mapping, "sketch": sketch})
        after = rows[-1].sequence


def fingerprints(connection: Connection, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, NDArray[np.uint8]]:
    """The fingerprints of some images."""
    statement = select(LabelledImageRow.id, LabelledImageRow.fingerprint).where(LabelledImageRow.id.in_(ids))
    found = connection.execute(statement)
    return {row.id: np.frombuffer(row.fingerprint, np.uint8) for row in found if row.fingerprint is not None}


def accepted(connection: Connection) -> list[StoredImage]:
    """Every accepted image, in the order of their sha256."""
    take_time(connection)
    statement = select(*_SHOWN).where(LabelledImageRow.status == "accepted").order_by(LabelledImageRow.sha256)
    return [_image(row) for row in connection.execute(statement)]


def accepted_twins(connection: Connection, digests: Sequence[str]) -> dict[str, uuid.UUID]:
    """Ids of accepted images by sha256, of those among `digests`."""
    found: dict[str, uuid.UUID] = {}
    for start in range(0, len(digests), _AT_ONCE):
        some = digests[start : start + _AT_ONCE]
        statement = select(LabelledImageRow.sha256, LabelledImageRow.id).where(
            LabelledImageRow.status == "accepted", LabelledImageRow.sha256.in_(some)
        )
        found.update({row.sha256: row.id for row in connection.execute(statement)})
    return found


def is_there(connection: Connection) -> bool:
    """Whether the database has the table: one of an older revision has not."""
    return inspect(connection).has_table(LabelledImageRow.__tablename__)


def is_empty(connection: Connection) -> bool:
    """Whether no labelled image is kept."""
    return connection.execute(select(LabelledImageRow.id).limit(1)).first() is None


def find(connection: Connection, image_id: uuid.UUID) -> StoredImage | None:
    """One image; None where there is none of this id."""
    row = connection.execute(select(*_SHOWN).where(LabelledImageRow.id == image_id)).one_or_none()
    return _image(row) if row is not None else None


def page(connection: Connection, wanted: ImageFilter, *, before: int | None, limit: int) -> list[StoredImage]:
    """The newest `limit` images that are wanted and numbered below `before`, the newest first."""
    statement = select(*_SHOWN)
    for column, value in (
        (LabelledImageRow.class_name, wanted.class_name),
        (LabelledImageRow.split, wanted.split),
        (LabelledImageRow.source, wanted.source),
        (LabelledImageRow.status, wanted.status),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if before is not None:
        statement = statement.where(LabelledImageRow.sequence < before)
    statement = statement.order_by(LabelledImageRow.sequence.desc()).limit(limit)
    return [_image(row) for row in connection.execute(statement)]


def with_reasons(connection: Connection, status: str, *, limit: int) -> list[StoredImage]:
    """The newest images of a status that have a reason."""
    statement = select(*_SHOWN).where(LabelledImageRow.status == status, HAS_REASONS)
    return [
        _image(row) for row in connection.execute(statement.order_by(LabelledImageRow.sequence.desc()).limit(limit))
    ]


def known_digests(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Those of `digests`, of files, that have a row."""
    found: set[str] = set()
    for start in range(0, len(digests), _AT_ONCE):
        some = digests[start : start + _AT_ONCE]
        statement = select(LabelledImageRow.sha256).distinct().where(LabelledImageRow.sha256.in_(some))
        found.update(connection.execute(statement).scalars())
    return found


def blobs_in_use(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Those of `digests`, of kept copies, that an image which is not deleted has."""
    found: set[str] = set()
    for start in range(0, len(digests), _AT_ONCE):
        some = digests[start : start + _AT_ONCE]
        statement = select(LabelledImageRow.kept_sha256).distinct()
        statement = statement.where(LabelledImageRow.kept_sha256.in_(some), LabelledImageRow.status != "deleted")
        found.update(digest for digest in connection.execute(statement).scalars() if digest is not None)
    return found


def forget_quarantined(connection: Connection, before: datetime) -> int:
    """Forgets the pictures of what was quarantined before a time, and all that was drawn from them; rows stay.

    Returns:
        How many had one.
    """
    is_meant = (LabelledImageRow.status == "quarantined", LabelledImageRow.added_at < before)
    statement = update(LabelledImageRow).where(*is_meant, LabelledImageRow.kept_sha256.is_not(None))
    return connection.execute(statement.values(kept_sha256=None, sketch=None, fingerprint=None)).rowcount


def rename_feedback(connection: Connection, sha256: str, class_name: str, *, sequence: int) -> bool:
    """Gives an image that came by feedback another class, after which it counts as new; False where there is none."""
    is_meant = (LabelledImageRow.sha256 == sha256) & (LabelledImageRow.source == "feedback")
    row = connection.execute(
        select(LabelledImageRow.id).where(is_meant, LabelledImageRow.status != "deleted").limit(1)
    ).one_or_none()
    if row is None:
        return False
    values = {"class_name": class_name, "sequence": sequence}
    connection.execute(update(LabelledImageRow).where(LabelledImageRow.id == row.id).values(values))
    return True


def change(
    connection: Connection,
    image_id: uuid.UUID,
    *,
    status: str,
    class_name: str,
    group_name: str,
    reasons: Sequence[dict[str, str]],
    sequence: int | None = None,
) -> None:
    """Changes what is said of an image; with a new `sequence` it counts as new."""
    values: dict[str, object] = {
        "status": status,
        "class_name": class_name,
        "group_name": group_name,
        "reasons": list(reasons),
    }
    if sequence is not None:
        values["sequence"] = sequence
    connection.execute(update(LabelledImageRow).where(LabelledImageRow.id == image_id).values(values))


def hold_out(connection: Connection, ids: Sequence[uuid.UUID]) -> None:
    """Sets images aside as the test split."""
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        connection.execute(update(LabelledImageRow).where(LabelledImageRow.id.in_(some)).values(split="test"))


def join_groups(connection: Connection, joined: dict[str, str]) -> None:
    """Renames groups, so that two become one."""
    for old, new in joined.items():
        connection.execute(update(LabelledImageRow).where(LabelledImageRow.group_name == old).values(group_name=new))


def _image(row: Sequence[Any]) -> StoredImage:
    return StoredImage(*row)
