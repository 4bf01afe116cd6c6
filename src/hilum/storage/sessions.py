"""Reads and writes who is signed in. All of its SQL is here; knows no cookie, only hashes."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from hilum.storage.tables import SessionRow


@dataclass(frozen=True)
class StoredSession:
    """A session as it is kept; the fields are those of `SessionRow`."""

    digest: str
    key_id: uuid.UUID
    created_at: datetime
    expires_at: datetime


def add(connection: Connection, session: StoredSession, *, most: int) -> None:
    """Adds a session; what has ended goes, and of its key's others all but the newest `most`."""
    connection.execute(delete(SessionRow).where(SessionRow.expires_at <= session.created_at))
    connection.execute(insert(SessionRow).values(asdict(session)))
    newest_first = (SessionRow.created_at.desc(), SessionRow.digest)
    others = select(SessionRow.digest).where(SessionRow.key_id == session.key_id).order_by(*newest_first)
    spare = connection.execute(others).scalars().all()[most:]
    if spare:
        connection.execute(delete(SessionRow).where(SessionRow.digest.in_(spare)))


def remove(connection: Connection, digest: str) -> None:
    """Ends a session; where there is none, nothing happens."""
    connection.execute(delete(SessionRow).where(SessionRow.digest == digest))


def remove_of_key(connection: Connection, key_id: uuid.UUID) -> None:
    """Ends every session of a key."""
    connection.execute(delete(SessionRow).where(SessionRow.key_id == key_id))


def find_all(connection: Connection, now: datetime) -> list[StoredSession]:
    """Every session that has not ended."""
    statement = select(*SessionRow.__table__.c).where(SessionRow.expires_at > now)
    return [StoredSession(**row._mapping) for row in connection.execute(statement)]
