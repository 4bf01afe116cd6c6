"""Reads and writes how retraining is automated, and what its triggers hang on. Knows no service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hilum.storage.automation_tables import AutomationRow
from hilum.storage.leases import has_ended
from hilum.storage.tables import FeedbackRow, PredictionRow
from hilum.storage.training_tables import TrainingRunRow

_ONLY = 1


@dataclass(frozen=True)
class StoredAutomation:
    """The one row, without who holds it; the fields are those of `AutomationRow`."""

    settings: dict[str, Any]
    changed_at: datetime
    outcome: dict[str, Any] | None


def find(connection: Connection) -> StoredAutomation | None:
    """The row; None where nobody has set anything."""
    columns = (AutomationRow.settings, AutomationRow.changed_at, AutomationRow.outcome)
    row = connection.execute(select(*columns).where(AutomationRow.id == _ONLY)).one_or_none()
    return StoredAutomation(**row._mapping) if row is not None else None


def put_settings(connection: Connection, settings: dict[str, Any], at: datetime) -> None:
    """Keeps settings, and forgets what came of the ones before."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(AutomationRow).values(id=_ONLY, settings=settings, changed_at=at, outcome=None)
    changed = {"settings": settings, "changed_at": at, "outcome": None}
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))


def hold(connection: Connection, holder: str, *, now: datetime, until: datetime) -> bool:
    """Takes or keeps the right to look at the triggers; False where another server has it."""
    is_free = or_(AutomationRow.holder == holder, has_ended(AutomationRow.held_until, now=now, until=until))
    statement = update(AutomationRow).where(AutomationRow.id == _ONLY, is_free)
    return connection.execute(statement.values(holder=holder, held_until=until)).rowcount > 0


def note_outcome(connection: Connection, outcome: dict[str, Any] | None) -> None:
    """Keeps what a look led to."""
    connection.execute(update(AutomationRow).where(AutomationRow.id == _ONLY).values(outcome=outcome))


def last_run_at(connection: Connection) -> datetime | None:
    """When the newest training run was asked for."""
    statement = select(TrainingRunRow.created_at).order_by(TrainingRunRow.created_at.desc()).limit(1)
    return connection.execute(statement).scalar()


def confirmations(connection: Connection, since: datetime | None) -> tuple[int, int]:
    """How many predictions were judged by a person after `since`, and how many of them were corrected."""
    is_corrected = FeedbackRow.confirmed_class != PredictionRow.predicted_class
    statement = select(func.count(), func.count().filter(is_corrected)).select_from(FeedbackRow)
    statement = statement.join(PredictionRow, PredictionRow.id == FeedbackRow.prediction_id)
    if since is not None:
        statement = statement.where(FeedbackRow.given_at > since)
    row = connection.execute(statement).one()
    return int(row[0]), int(row[1])
