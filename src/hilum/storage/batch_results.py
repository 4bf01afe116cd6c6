"""Reads and writes what came of the images of batches, and who scores them. All of their SQL is here."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hilum.storage.batch_tables import BatchResultRow, BatchWorkerRow


@dataclass(frozen=True)
class StoredResult:
    """A result as it is kept; the fields are those of `BatchResultRow`."""

    batch_id: uuid.UUID
    item_index: int
    image_sha256: str
    status: int
    answer: dict[str, Any]


def add(connection: Connection, results: Sequence[StoredResult]) -> list[StoredResult]:
    """Adds the results of images that have none yet.

    Returns:
        Those that were added.
    """
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(BatchResultRow).values([asdict(result) for result in results])
    added = connection.execute(statement.on_conflict_do_nothing().returning(BatchResultRow.item_index)).scalars()
    indexes = set(added)
    return [result for result in results if result.item_index in indexes]


def scored(connection: Connection, batch_id: uuid.UUID, *, first: int, count: int) -> set[int]:
    """Which of `count` images, from index `first` on, have a result."""
    index = BatchResultRow.item_index
    among = (BatchResultRow.batch_id == batch_id, index >= first, index < first + count)
    return set(connection.execute(select(index).where(*among)).scalars())


def page(connection: Connection, batch_id: uuid.UUID, *, after: int, limit: int) -> list[StoredResult]:
    """The `limit` results that follow index `after`, in the order of the images."""
    wanted = (BatchResultRow.batch_id == batch_id, BatchResultRow.item_index > after)
    statement = select(*BatchResultRow.__table__.c).where(*wanted).order_by(BatchResultRow.item_index).limit(limit)
    return [StoredResult(**row._mapping) for row in connection.execute(statement)]


def see_worker(connection: Connection, name: str, now: datetime) -> None:
    """Notes that a process scores."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(BatchWorkerRow).values(name=name, seen_at=now)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"seen_at": now}))


def release_worker(connection: Connection, name: str) -> None:
    """Makes a process count as silent from now on, so that others take at once what it had begun."""
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    connection.execute(update(BatchWorkerRow).where(BatchWorkerRow.name == name).values(seen_at=long_ago))


def silent_workers(connection: Connection, since: datetime) -> list[str]:
    """The processes that have not been seen since then."""
    return list(connection.execute(select(BatchWorkerRow.name).where(BatchWorkerRow.seen_at < since)).scalars())


def forget_worker(connection: Connection, name: str) -> None:
    """Notes that a process has ended, and that what it had begun was handed on."""
    connection.execute(delete(BatchWorkerRow).where(BatchWorkerRow.name == name))
