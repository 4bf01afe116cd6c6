"""Reads and writes training runs and the leases on them. All of their SQL is here; knows no service."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Update, delete, func, literal, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from hilum.storage.database import COUNTED
from hilum.storage.leases import has_ended
from hilum.storage.training_tables import TrainingRunRow, TrainingWorkerRow

ACTIVE = 1
"""The `active_slot` of the one run that is queued or running."""

Place = tuple[datetime, uuid.UUID]
"""Where a run stands in the order of time; the id decides between equal times."""

_TABLE = TrainingRunRow.__table__


@dataclass(frozen=True)
class StoredRun:
    """A run as it is kept; the fields are those of `TrainingRunRow`."""

    id: uuid.UUID
    status: str
    mode: str
    policy: str
    note: str
    actor: str
    n_epochs: int | None
    snapshot_digest: str
    n_images: int
    parent_version: str | None
    created_at: datetime
    model_version: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    stage: str | None = None
    progress: float = 0.0
    seconds_left: float | None = None
    epochs: list[dict[str, float]] = field(default_factory=list)
    report: dict[str, Any] | None = None
    failure: str | None = None
    cancel_requested_at: datetime | None = None
    active_slot: int | None = ACTIVE
    lease_owner: str | None = None
    lease_until: datetime | None = None
    n_attempts: int = 0


def add(connection: Connection, run: StoredRun) -> bool:
    """Adds a run; False where another one is active, which the database itself sees to."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(TrainingRunRow).values(asdict(run))
    unless_active = statement.on_conflict_do_nothing(index_elements=["active_slot"])
    return connection.execute(unless_active, execution_options=COUNTED).rowcount == 1


def find(connection: Connection, run_id: uuid.UUID) -> StoredRun | None:
    """One run; None where there is none of this id."""
    row = connection.execute(select(*_TABLE.c).where(TrainingRunRow.id == run_id)).one_or_none()
    return _run(row) if row is not None else None


def find_held(connection: Connection, run_id: uuid.UUID, owner: str) -> StoredRun | None:
    """A run that has not ended and that `owner` has; None where it is another's by now, or has ended."""
    row = connection.execute(select(*_TABLE.c).where(*_is_held(run_id, owner))).one_or_none()
    return _run(row) if row is not None else None


def find_active(connection: Connection) -> StoredRun | None:
    """The run that is queued or running; None where none is."""
    row = connection.execute(select(*_TABLE.c).where(TrainingRunRow.active_slot == ACTIVE)).one_or_none()
    return _run(row) if row is not None else None


def page(connection: Connection, *, before: Place | None, limit: int) -> list[StoredRun]:
    """The newest `limit` runs older than `before`, the newest first."""
    statement = select(*_TABLE.c)
    if before is not None:
        place = tuple_(literal(before[0], _TABLE.c.created_at.type), literal(before[1], _TABLE.c.id.type))
        statement = statement.where(tuple_(TrainingRunRow.created_at, TrainingRunRow.id) < place)
    statement = statement.order_by(TrainingRunRow.created_at.desc(), TrainingRunRow.id.desc()).limit(limit)
    return [_run(row) for row in connection.execute(statement)]


def take(connection: Connection, owner: str, *, now: datetime, until: datetime) -> StoredRun | None:
    """Leases the active run to `owner`, where no other's lease on it still runs.

    Returns:
        The run, which is running from now on; None where there is none to take.
    """
    is_free = has_ended(TrainingRunRow.lease_until, now=now, until=until)
    statement = (
        update(TrainingRunRow)
        .where(TrainingRunRow.active_slot == ACTIVE, is_free)
        .values(
            status="running",
            lease_owner=owner,
            lease_until=until,
            started_at=func.coalesce(TrainingRunRow.started_at, literal(now, _TABLE.c.started_at.type)),
            n_attempts=TrainingRunRow.n_attempts + 1,
        )
        .returning(*_TABLE.c)
    )
    row = connection.execute(statement).one_or_none()
    return _run(row) if row is not None else None


def release(connection: Connection, run_id: uuid.UUID, owner: str, *, is_forgiven: bool = False) -> None:
    """Ends a lease, so that any worker may go on with the run at once; `is_forgiven` does not count the attempt."""
    attempts = TrainingRunRow.n_attempts - (1 if is_forgiven else 0)
    connection.execute(_held(run_id, owner).values(lease_until=None, lease_owner=None, n_attempts=attempts))


def note_progress(connection: Connection, run_id: uuid.UUID, owner: str, values: Mapping[str, Any]) -> StoredRun | None:
    """Writes columns of a run that `owner` has, and reads it.

    Args:
        connection: of a writing transaction.
        run_id: the run's.
        owner: who must have the lease.
        values: by column: `stage`, `progress`, `seconds_left`, `epochs`, `model_version`, `report` or `lease_until`,
            which extends the lease.

    Returns:
        The run as it then is; None where it is no longer `owner`'s.
    """
    row = connection.execute(_held(run_id, owner).values(dict(values)).returning(*_TABLE.c)).one_or_none()
    return _run(row) if row is not None else None


def end(connection: Connection, run_id: uuid.UUID, owner: str | None, status: str, values: Mapping[str, Any]) -> bool:
    """Ends an active run.

    Args:
        connection: of a writing transaction.
        run_id: the run's.
        owner: who must have the lease; None where nobody may have it.
        status: that it ends with.
        values: further columns, `ended_at` among them.

    Returns:
        False where it is another's, or has ended already.
    """
    is_owners = TrainingRunRow.lease_owner == owner if owner is not None else TrainingRunRow.lease_owner.is_(None)
    ended = {"active_slot": None, "lease_owner": None, "lease_until": None, "seconds_left": None, "status": status}
    statement = update(TrainingRunRow).where(
        TrainingRunRow.id == run_id, TrainingRunRow.active_slot == ACTIVE, is_owners
    )
    return connection.execute(statement.values(ended | dict(values))).rowcount == 1


def approve(connection: Connection, model_version: str) -> None:
    """Ends the run that made a model and awaits approval: a person promoted it."""
    is_meant = (TrainingRunRow.model_version == model_version) & (TrainingRunRow.status == "awaiting-approval")
    connection.execute(update(TrainingRunRow).where(is_meant).values(status="promoted"))


def decline(connection: Connection, run_id: uuid.UUID, failure: str) -> StoredRun | None:
    """Ends a run that awaits approval, for a reason; None where it does not."""
    is_meant = (TrainingRunRow.id == run_id) & (TrainingRunRow.status == "awaiting-approval")
    statement = update(TrainingRunRow).where(is_meant).values(status="refused", failure=failure)
    row = connection.execute(statement.returning(*_TABLE.c)).one_or_none()
    return _run(row) if row is not None else None


def request_cancel(connection: Connection, run_id: uuid.UUID, now: datetime) -> None:
    """Notes that an active run is to be cancelled; asked again, the first time counts. Nobody's run ends at once."""
    wanted = (TrainingRunRow.id == run_id, TrainingRunRow.active_slot == ACTIVE)
    first = func.coalesce(TrainingRunRow.cancel_requested_at, literal(now, _TABLE.c.cancel_requested_at.type))
    connection.execute(update(TrainingRunRow).where(*wanted).values(cancel_requested_at=first))
    end(connection, run_id, None, "cancelled", {"ended_at": now})


def see_worker(connection: Connection, name: str, now: datetime, *, forget_before: datetime) -> None:
    """Notes that a worker is there; those not seen for long are forgotten."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(TrainingWorkerRow).values(name=name, seen_at=now)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"seen_at": now}))
    connection.execute(delete(TrainingWorkerRow).where(TrainingWorkerRow.seen_at < forget_before))


def forget_worker(connection: Connection, name: str) -> None:
    """Notes that a worker has ended."""
    connection.execute(delete(TrainingWorkerRow).where(TrainingWorkerRow.name == name))


def is_any_worker_seen(connection: Connection, since: datetime) -> bool:
    """Whether some worker was there since then."""
    statement = select(TrainingWorkerRow.name).where(TrainingWorkerRow.seen_at >= since).limit(1)
    return connection.execute(statement).first() is not None


def _held(run_id: uuid.UUID, owner: str) -> Update:
    return update(TrainingRunRow).where(*_is_held(run_id, owner))


def _is_held(run_id: uuid.UUID, owner: str) -> tuple[ColumnElement[bool], ...]:
    return TrainingRunRow.id == run_id, TrainingRunRow.active_slot == ACTIVE, TrainingRunRow.lease_owner == owner


def _run(row: Row[Any]) -> StoredRun:
    return StoredRun(**row._mapping)
