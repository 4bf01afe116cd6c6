"""Reads and writes what people confirmed. All of its SQL is here; knows no service."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from hilum.storage.tables import FeedbackRow


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
