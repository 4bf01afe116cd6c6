"""API keys and sessions as they are kept, on SQLite and PostgreSQL."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hilum.storage import keys, sessions
from hilum.storage.database import Database
from hilum.storage.keys import StoredKey
from hilum.storage.sessions import StoredSession

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
KEY = StoredKey(uuid.UUID(int=1), "0" * 8, "a" * 64, "größe", "predict", NOON)


def test_a_key_is_found_revoked_once_and_touched(database: Database) -> None:
    other = replace(
        KEY, id=uuid.UUID(int=2), prefix="1" * 8, digest="b" * 64, created_at=NOON + timedelta(seconds=1),
        expires_at=NOON + timedelta(days=1),
    )  # fmt: skip
    with database.writing() as connection:
        keys.add(connection, other)
        keys.add(connection, KEY)
    with database.reading() as connection:
        assert keys.find_all(connection) == [KEY, other]
    with database.writing() as connection:
        assert keys.revoke(connection, KEY.prefix, NOON)
        assert not keys.revoke(connection, KEY.prefix, NOON + timedelta(days=1))
        assert not keys.revoke(connection, "f" * 8, NOON)
        keys.touch(connection, [(other.id, NOON)])
        keys.touch(connection, [(other.id, NOON - timedelta(days=1))])
    with database.reading() as connection:
        assert keys.find_all(connection) == [replace(KEY, revoked_at=NOON), replace(other, last_used_at=NOON)]


def test_a_key_is_usable_until_it_expires_or_is_revoked() -> None:
    assert KEY.is_usable(NOON)
    assert not replace(KEY, revoked_at=NOON).is_usable(NOON)
    assert replace(KEY, expires_at=NOON).is_usable(NOON - timedelta(microseconds=1))
    assert not replace(KEY, expires_at=NOON).is_usable(NOON)


def test_sessions_end_and_the_newest_of_a_key_stay(database: Database) -> None:
    made = [
        StoredSession(
            f"{n:064x}", KEY.id, NOON + timedelta(seconds=n), NOON + timedelta(seconds=10 if n == 0 else 1000)
        )
        for n in range(4)
    ]
    with database.writing() as connection:
        keys.add(connection, KEY)
        for session in made:
            sessions.add(connection, session, most=3)
    with database.reading() as connection:
        assert sessions.find_all(connection, NOON) == made[1:]
        assert sessions.find_all(connection, NOON + timedelta(seconds=1000)) == []
    with database.writing() as connection:
        sessions.remove(connection, made[1].digest)
        sessions.remove(connection, "f" * 64)
        late = StoredSession("e" * 64, KEY.id, NOON + timedelta(hours=1), NOON + timedelta(hours=2))
        sessions.add(connection, late, most=3)
    with database.reading() as connection:
        assert sessions.find_all(connection, NOON) == [late]
    with database.writing() as connection:
        sessions.remove_of_key(connection, KEY.id)
    with database.reading() as connection:
        assert sessions.find_all(connection, NOON) == []
