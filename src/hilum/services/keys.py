"""API keys: their form, their roles, and how they are made, listed and revoked. Knows no HTTP."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from hilum.storage import audit_log, keys, sessions
from hilum.storage.audit_chain import NewEvent
from hilum.storage.database import Database
from hilum.storage.keys import StoredKey

_FORM = re.compile(r"hilum_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")


class Role(StrEnum):
    """What a key may do; each role may do what the ones before it may."""

    PREDICT = "predict"
    ANNOTATE = "annotate"
    ADMINISTER = "administer"

    def reaches(self, needed: Role) -> bool:
        """Whether this role may do what `needed` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True)
class NewKey:
    """A key that was just made.

    Attributes:
        token: the key itself; it is known here and nowhere else.
        stored: what is kept of it.
    """

    token: str
    stored: StoredKey


def digest_of(token: str) -> str:
    """The sha256 under which a key or a session is kept.

    A password is hashed slowly because it can be guessed. These have 256 random bits, which cannot: a slow hash would
    only slow every request (OWASP Password Storage Cheat Sheet speaks of passwords; NIST SP 800-63B, section 5.1.2.2,
    asks for salt and stretching only below 112 bits).
    """
    return hashlib.sha256(token.encode()).hexdigest()


def prefix_of(token: str) -> str | None:
    """The public part of what has a key's form; None for anything else, of which nothing may be repeated."""
    match = _FORM.fullmatch(token)
    return match.group(1) if match else None


def holds_key(text: str) -> bool:
    """Whether a key stands in `text`."""
    return _FORM.search(text) is not None


def create_key(
    database: Database, name: str, role: Role, *, expires_in: timedelta | None = None, is_audited: bool = True
) -> NewKey:
    """Makes a key. It is in force on every server within seconds.

    Raises:
        DatabaseUnavailable: it could not be kept.
    """
    now = datetime.now(UTC)
    prefix = secrets.token_hex(4)
    token = f"hilum_{prefix}_{secrets.token_urlsafe(32)}"
    expires_at = now + expires_in if expires_in is not None else None
    stored = StoredKey(uuid.uuid4(), prefix, digest_of(token), name, role.value, now, expires_at)
    with database.writing() as connection:
        keys.add(connection, stored)
        if is_audited:
            audit_log.append(connection, [NewEvent("key-created", "cli", prefix, {"role": role.value})])
    return NewKey(token, stored)


def list_keys(database: Database) -> list[StoredKey]:
    """Every key, also those that are no longer usable, the oldest first.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    with database.reading() as connection:
        return keys.find_all(connection)


def revoke_key(database: Database, prefix: str, *, is_audited: bool = True) -> bool:
    """Revokes a key and ends its sessions, on every server within seconds.

    Returns:
        False where no usable key has this prefix.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    now = datetime.now(UTC)
    with database.writing() as connection:
        if not keys.revoke(connection, prefix, now):
            return False
        for key in keys.find_all(connection):
            if key.prefix == prefix:
                sessions.remove_of_key(connection, key.id)
        if is_audited:
            audit_log.append(connection, [NewEvent("key-revoked", "cli", prefix)])
    return True


def has_usable_key(database: Database) -> bool:
    """Whether anyone could be let in.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    now = datetime.now(UTC)
    return any(key.is_usable(now) for key in list_keys(database))
