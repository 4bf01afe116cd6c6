"""Reads and writes API keys. All of their SQL is here; knows no key, only hashes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, or_, select, update

from hilum.storage.tables import ApiKeyRow


@dataclass(frozen=True)
class StoredKey:
    """A key as it is kept; the fields are those of `ApiKeyRow`."""

    id: uuid.UUID
    prefix: str
    digest: str
    name: str
    role: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def is_usable(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def add(connection: Connection, key: StoredKey) -> None:
    """Adds a key."""
    connection.execute(insert(ApiKeyRow).values(asdict(key)))


def find_all(connection: Connection) -> list[StoredKey]:
    """Every key, also revoked ones, the oldest first."""
    statement = select(*ApiKeyRow.__table__.c).order_by(ApiKeyRow.created_at, ApiKeyRow.prefix)
    return [StoredKey(**row._mapping) for row in connection.execute(statement)]


def revoke(connection: Connection, prefix: str, at: datetime) -> bool:
    """Revokes the key of this prefix; False where there is none, or it is revoked already."""
    is_meant = (ApiKeyRow.prefix == prefix) & ApiKeyRow.revoked_at.is_(None)
    return connection.execute(update(ApiKeyRow).where(is_meant).values(revoked_at=at)).rowcount > 0


def touch(connection: Connection, used: Sequence[tuple[uuid.UUID, datetime]]) -> None:
    """Keeps when keys were last used; another server may have kept a later time."""
    for key_id, at in used:
        is_older = or_(ApiKeyRow.last_used_at.is_(None), ApiKeyRow.last_used_at < at)
        connection.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id, is_older).values(last_used_at=at))
