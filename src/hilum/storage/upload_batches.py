"""Reads and writes upload batches and their reports. All of their SQL is here; knows no service."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from hilum.storage.dataset_tables import UploadBatchRow


@dataclass(frozen=True)
class StoredBatch:
    """A batch as it is kept; the fields are those of `UploadBatchRow`."""

    id: uuid.UUID
    created_at: datetime
    source: str
    actor: str
    accepted: int
    duplicates: int
    quarantined: int
    refused: int
    items: list[dict[str, Any]]


def add(connection: Connection, batch: StoredBatch) -> None:
    """Adds a batch; its images come after it."""
    connection.execute(insert(UploadBatchRow).values(asdict(batch)))


def find(connection: Connection, batch_id: uuid.UUID) -> StoredBatch | None:
    """One batch; None where there is none of this id."""
    statement = select(*UploadBatchRow.__table__.c).where(UploadBatchRow.id == batch_id)
    row = connection.execute(statement).one_or_none()
    return StoredBatch(**row._mapping) if row is not None else None
