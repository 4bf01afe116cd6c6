"""Reads and writes what people confirmed. All of its SQL is here; knows no service."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hilum.storage.tables import FeedbackRow, PredictionRow


@dataclass(frozen=True)
class Feedback:
    """What a person confirmed; the fields are those of `FeedbackRow`."""

    prediction_id: uuid.UUID
    confirmed_class: str
    is_new_label: bool
    given_at: datetime


_COLUMNS = (
    FeedbackRow.prediction_id,
    FeedbackRow.confirmed_class,
    FeedbackRow.is_new_label,
    FeedbackRow.given_at,
)


@dataclass(frozen=True)
class PendingFeedback:
    """A confirmed class that the labelled images do not know yet.

    Attributes:
        joined_class: the class they know; None where none.
        image_sha256: of the file that was classified.
        kept_sha256: of the kept copy; None where none is kept.
    """

    prediction_id: uuid.UUID
    confirmed_class: str
    joined_class: str | None
    image_sha256: str
    kept_sha256: str | None


def pending(connection: Connection, *, limit: int) -> list[PendingFeedback]:
    """Confirmed classes that are to join the labelled images, the oldest first."""
    is_known = FeedbackRow.joined_class.is_not(None) & (FeedbackRow.joined_class == FeedbackRow.confirmed_class)
    kept = case(
        (PredictionRow.is_image_kept, func.coalesce(PredictionRow.kept_sha256, PredictionRow.image_sha256)), else_=None
    )
    columns = (FeedbackRow.prediction_id, FeedbackRow.confirmed_class, FeedbackRow.joined_class)
    statement = (
        select(*columns, PredictionRow.image_sha256, kept)
        .join(PredictionRow, PredictionRow.id == FeedbackRow.prediction_id)
        .where(~is_known)
        .order_by(FeedbackRow.given_at, FeedbackRow.prediction_id)
        .limit(limit)
    )
    return [PendingFeedback(*row) for row in connection.execute(statement).all()]


def mark_joined(connection: Connection, some: Sequence[PendingFeedback]) -> None:
    """Notes which class the labelled images know; one that was corrected meanwhile stays pending."""
    for one in some:
        connection.execute(
            update(FeedbackRow)
            .where(FeedbackRow.prediction_id == one.prediction_id)
            .values(joined_class=one.confirmed_class)
        )


def put(connection: Connection, feedback: Feedback) -> Feedback:
    """Keeps `feedback` instead of what was said before; the same said again changes nothing.

    Returns:
        What is kept.
    """
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = asdict(feedback)
    statement = dialect.insert(FeedbackRow).values(values)
    is_other = FeedbackRow.confirmed_class != statement.excluded.confirmed_class
    changed = {name: statement.excluded[name] for name in values if name != "prediction_id"}
    connection.execute(statement.on_conflict_do_update(index_elements=["prediction_id"], set_=changed, where=is_other))
    kept = find(connection, feedback.prediction_id)
    return kept or feedback


def find(connection: Connection, prediction_id: uuid.UUID) -> Feedback | None:
    """What was confirmed of a prediction; None where nothing was."""
    statement = select(*_COLUMNS).where(FeedbackRow.prediction_id == prediction_id)
    row = connection.execute(statement).one_or_none()
    return Feedback(**row._mapping) if row is not None else None
