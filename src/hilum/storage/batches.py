"""Reads and writes batches and their chunks. All of their SQL is here; knows no service."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, literal, select, tuple_, update

from hilum.storage.batch_tables import BatchChunkRow, BatchRow

ACTIVE = ("queued", "running")
"""The statuses of batches that are still to be scored, or are being scored."""

Place = tuple[datetime, uuid.UUID]
"""Where a batch stands in the order of time; the id decides between equal times."""

_TABLE = BatchRow.__table__


@dataclass(frozen=True)
class StoredBatch:
    """A batch as it is kept; the fields are those of `BatchRow`."""

    id: uuid.UUID
    status: str
    note: str
    actor: str
    model_version: str
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    n_items: int = 0
    n_chunks: int = 0
    n_answered: int = 0
    n_refused: int = 0
    n_chunks_queued: int = 0
    n_chunks_done: int = 0
    failure: str | None = None


@dataclass(frozen=True)
class StoredChunk:
    """A chunk as it is kept; the fields are those of `BatchChunkRow`."""

    batch_id: uuid.UUID
    number: int
    first_index: int
    items: list[dict[str, Any]]
    pack_sha256: str | None = None
    n_attempts: int = 0
    done_at: datetime | None = None


def add(connection: Connection, batch: StoredBatch) -> None:
    """Adds a batch; its chunks come after it."""
    connection.execute(insert(BatchRow).values(asdict(batch)))


def add_chunk(connection: Connection, chunk: StoredChunk) -> None:
    """Adds a chunk to a batch that is still being received."""
    connection.execute(insert(BatchChunkRow).values(asdict(chunk)))


def complete(connection: Connection, batch_id: uuid.UUID, *, n_items: int, n_chunks: int) -> None:
    """Queues a batch that was received whole."""
    received = (BatchRow.id == batch_id, BatchRow.status == "receiving")
    values = {"status": "queued", "n_items": n_items, "n_chunks": n_chunks}
    connection.execute(update(BatchRow).where(*received).values(values))


def find(connection: Connection, batch_id: uuid.UUID) -> StoredBatch | None:
    """One batch that was received whole; None where there is none of this id."""
    statement = select(*_TABLE.c).where(BatchRow.id == batch_id, BatchRow.status != "receiving")
    row = connection.execute(statement).one_or_none()
    return _batch(row) if row is not None else None


def page(connection: Connection, *, before: Place | None, limit: int) -> list[StoredBatch]:
    """The newest `limit` batches older than `before`, the newest first."""
    statement = select(*_TABLE.c).where(BatchRow.status != "receiving")
    if before is not None:
        place = tuple_(literal(before[0], _TABLE.c.created_at.type), literal(before[1], _TABLE.c.id.type))
        statement = statement.where(tuple_(BatchRow.created_at, BatchRow.id) < place)
    statement = statement.order_by(BatchRow.created_at.desc(), BatchRow.id.desc()).limit(limit)
    return [_batch(row) for row in connection.execute(statement)]


def find_active(connection: Connection) -> list[StoredBatch]:
    """Every batch that is queued or running, the oldest first."""
    statement = select(*_TABLE.c).where(BatchRow.status.in_(ACTIVE)).order_by(BatchRow.created_at, BatchRow.id)
    return [_batch(row) for row in connection.execute(statement)]


def is_any_active(connection: Connection) -> bool:
    """Whether some batch is queued or running."""
    return connection.execute(select(BatchRow.id).where(BatchRow.status.in_(ACTIVE)).limit(1)).first() is not None


def note_queued(connection: Connection, batch_id: uuid.UUID, n_chunks: int, now: datetime) -> None:
    """Notes that the first `n_chunks` chunks were handed to the queue; the batch is running from then on."""
    active = (BatchRow.id == batch_id, BatchRow.status.in_(ACTIVE), BatchRow.n_chunks_queued < n_chunks)
    started = func.coalesce(BatchRow.started_at, literal(now, _TABLE.c.started_at.type))
    values = {"status": "running", "n_chunks_queued": n_chunks, "started_at": started}
    connection.execute(update(BatchRow).where(*active).values(values))


def begin_chunk(connection: Connection, batch_id: uuid.UUID, number: int) -> StoredChunk | None:
    """Counts an attempt at a chunk and reads it; None where it is done or gone."""
    meant = (BatchChunkRow.batch_id == batch_id, BatchChunkRow.number == number, BatchChunkRow.done_at.is_(None))
    counted = update(BatchChunkRow).where(*meant).values(n_attempts=BatchChunkRow.n_attempts + 1)
    row = connection.execute(counted.returning(*BatchChunkRow.__table__.c)).one_or_none()
    return StoredChunk(**row._mapping) if row is not None else None


def note_attempts(connection: Connection, batch_id: uuid.UUID, number: int, n_attempts: int) -> None:
    """Sets how often a chunk was begun: less often where one of its images was scored meanwhile."""
    meant = (BatchChunkRow.batch_id == batch_id, BatchChunkRow.number == number)
    connection.execute(update(BatchChunkRow).where(*meant).values(n_attempts=n_attempts))


def hold(connection: Connection, batch_id: uuid.UUID) -> bool:
    """Keeps a batch from ending until the transaction has ended; False where it has ended already."""
    active = (BatchRow.id == batch_id, BatchRow.status.in_(ACTIVE))
    return connection.execute(select(BatchRow.id).where(*active).with_for_update()).first() is not None


def count_scored(connection: Connection, batch_id: uuid.UUID, *, n_answered: int, n_refused: int) -> None:
    """Adds to a batch's counts."""
    values = {"n_answered": BatchRow.n_answered + n_answered, "n_refused": BatchRow.n_refused + n_refused}
    connection.execute(update(BatchRow).where(BatchRow.id == batch_id).values(values))


def end_chunk(connection: Connection, batch_id: uuid.UUID, number: int, now: datetime) -> bool:
    """Notes that every image of a chunk is scored, and with the last chunk that the batch is done.

    Returns:
        Whether this made the batch done.
    """
    meant = (BatchChunkRow.batch_id == batch_id, BatchChunkRow.number == number, BatchChunkRow.done_at.is_(None))
    if connection.execute(update(BatchChunkRow).where(*meant).values(done_at=now)).rowcount != 1:
        return False
    running = (BatchRow.id == batch_id, BatchRow.status.in_(ACTIVE))
    one_more = {"n_chunks_done": BatchRow.n_chunks_done + 1}
    connection.execute(update(BatchRow).where(*running).values(one_more))
    last = (*running, BatchRow.n_chunks_done == BatchRow.n_chunks)
    return connection.execute(update(BatchRow).where(*last).values(status="done", ended_at=now)).rowcount == 1


def open_chunks(connection: Connection, batch_id: uuid.UUID, *, below: int) -> list[int]:
    """The numbers of chunks that were handed to the queue and are not done."""
    statement = select(BatchChunkRow.number).where(
        BatchChunkRow.batch_id == batch_id, BatchChunkRow.number < below, BatchChunkRow.done_at.is_(None)
    )
    return list(connection.execute(statement.order_by(BatchChunkRow.number)).scalars())


def end(connection: Connection, batch_id: uuid.UUID, status: str, now: datetime, failure: str | None = None) -> bool:
    """Ends an active batch; False where it has ended already."""
    active = (BatchRow.id == batch_id, BatchRow.status.in_(ACTIVE))
    values = {"status": status, "ended_at": now, "failure": failure}
    return connection.execute(update(BatchRow).where(*active).values(values)).rowcount == 1


def remove(connection: Connection, batch_id: uuid.UUID) -> bool:
    """Deletes a batch that is not active, with its chunks and results; False where there is none."""
    meant = (BatchRow.id == batch_id, BatchRow.status.not_in(ACTIVE))
    return connection.execute(delete(BatchRow).where(*meant)).rowcount == 1


def remove_old(connection: Connection, *, ended_before: datetime | None, received_before: datetime) -> list[uuid.UUID]:
    """Deletes batches that ended before a moment, and those whose receiving was broken off before another.

    Returns:
        Their ids.
    """
    half = (BatchRow.status == "receiving") & (BatchRow.created_at < received_before)
    meant = half if ended_before is None else half | (BatchRow.ended_at < ended_before)
    return list(connection.execute(delete(BatchRow).where(meant).returning(BatchRow.id)).scalars())


def _batch(row: Row[Any]) -> StoredBatch:
    return StoredBatch(**row._mapping)
