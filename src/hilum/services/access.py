"""Who is asking and what they may: keys, sessions, roles and how often. Knows no HTTP."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hilum.errors import AccessUnavailable, KeyInvalid, RateLimited, RoleInsufficient, StorageInvalid
from hilum.services import audit_log
from hilum.services.audit_log import AuditLog, NewEvent
from hilum.services.key_ring import KeyRing
from hilum.services.keys import Role, digest_of, prefix_of
from hilum.services.rate_limit import RateLimit
from hilum.storage import sessions
from hilum.storage.audit_log import append
from hilum.storage.database import Database
from hilum.storage.keys import StoredKey
from hilum.storage.sessions import StoredSession

__all__ = ["OPEN_CALLER", "Access", "AccessRules", "Caller", "NewSession", "Role"]

Result = TypeVar("Result")

_REFUSALS_PER_MINUTE = 20
_MOST_SESSIONS = 20
"""Of one key; the newest stay."""


@dataclass(frozen=True)
class AccessRules:
    """What an operator decides.

    Attributes:
        requests_per_minute: of one key on one server; 0: any number.
        session_time: after which a session ends.
    """

    requests_per_minute: int = 0
    session_time: timedelta = timedelta(hours=12)


@dataclass(frozen=True)
class Caller:
    """Who is asking.

    Attributes:
        actor: the key's prefix, or `open`; as the audit log names them.
        role: what they may do.
        is_session: whether a browser sent this by itself, with its cookie.
    """

    actor: str
    role: Role
    is_session: bool = False


OPEN_CALLER = Caller(audit_log.OPEN, Role.ADMINISTER)
"""Anyone, where no key is needed."""


@dataclass(frozen=True)
class NewSession:
    """A session that was just opened.

    Attributes:
        token: for the cookie; it is known here and nowhere else.
        lasts: until it ends.
    """

    token: str
    lasts: timedelta


class Access:
    """Lets callers in. Used from one event loop; the database is asked in threads."""

    def __init__(self, database: Database, rules: AccessRules | None = None, *, audit: AuditLog | None = None) -> None:
        """Takes where keys and sessions are kept; `start` begins to read them."""
        self._rules = rules or AccessRules()
        self._audit = audit
        self._database = database
        self._ring = KeyRing(database)
        self._requests = RateLimit(self._rules.requests_per_minute)
        self._refusals = RateLimit(_REFUSALS_PER_MINUTE)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="hilum-access")

    def start(self) -> None:
        """Begins to read keys."""
        self._ring.start()

    def close(self) -> None:
        """Stops."""
        self._ring.close()
        self._threads.shutdown(wait=True)
        self._database.close()

    @property
    def trouble(self) -> str | None:
        """Why keys cannot be read at present, in words; None where they can."""
        return self._ring.trouble

    async def caller_of_key(self, token: str, place: str) -> Caller:
        """Who sends this key.

        Args:
            token: the key.
            place: where the request comes from; too many invalid keys from one place are not looked at.

        Raises:
            KeyInvalid: it is unknown, expired or revoked.
            RateLimited: too many invalid keys came from this place.
            AccessUnavailable: it is not known here, and the database does not answer.
        """
        return _caller(await self._key(token, place, audit_log.KEY_REFUSED))

    async def caller_of_session(self, token: str) -> Caller | None:
        """Who opened this session; None where it has ended.

        Raises:
            AccessUnavailable: it is not known here, and the database does not answer.
        """
        key = self._ring.key_of_session(token)
        if key is None:
            await self._catch_up()
            key = self._ring.key_of_session(token)
        if key is None:
            self._check_sight()
            return None
        return _caller(key, is_session=True)

    async def check_role(self, caller: Caller, needed: Role, place: str, what: str) -> None:
        """Returns where the caller's role reaches.

        Args:
            caller: who asks.
            needed: the least role that may.
            place: where the request comes from.
            what: is asked for, in the application's words.

        Raises:
            RoleInsufficient: it does not reach.
            RateLimited: that happened too often.
        """
        if caller.role.reaches(needed):
            return
        await self._note_refusal(NewEvent(audit_log.KEY_REFUSED, caller.actor, what, {"reason": "role"}), place)
        raise RoleInsufficient(f"this needs the role {needed}, and the key has the role {caller.role}")

    def count(self, caller: Caller) -> None:
        """Counts a request.

        Raises:
            RateLimited: the caller's key made too many.
        """
        wait_s = self._requests.wait_s(caller.actor)
        if wait_s:
            limit = self._requests.per_minute
            detail = f"one key may make {limit} requests a minute on each server"
            raise RateLimited(detail, retry_after=wait_s, limit=limit)

    async def sign_in(self, token: str, place: str) -> NewSession:
        """Opens a session with a key.

        Raises:
            KeyInvalid, RateLimited, AccessUnavailable: as for `caller_of_key`.
        """
        key = await self._key(token, place, audit_log.SIGN_IN_REFUSED)
        cookie = secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        session = StoredSession(digest_of(cookie), key.id, now, now + self._rules.session_time)

        def write() -> None:
            with self._database.writing() as connection:
                sessions.add(connection, session, most=_MOST_SESSIONS)
                if self._audit is not None:
                    append(connection, [NewEvent(audit_log.SIGN_IN, key.prefix)])
            self._ring.renew()

        await self._in_thread(write)
        return NewSession(cookie, self._rules.session_time)

    async def sign_out(self, token: str, caller: Caller) -> None:
        """Ends a session, here at once and on other servers within seconds.

        Raises:
            AccessUnavailable: the database does not answer.
        """

        def write() -> None:
            with self._database.writing() as connection:
                sessions.remove(connection, digest_of(token))
                if self._audit is not None:
                    append(connection, [NewEvent(audit_log.SIGN_OUT, caller.actor)])
            self._ring.renew()

        await self._in_thread(write)

    async def _key(self, token: str, place: str, event: str) -> StoredKey:
        key = self._ring.key(token)
        prefix = prefix_of(token)
        if key is None and prefix is not None and not self._refusals.is_spent(place):
            await self._catch_up()
            key = self._ring.key(token)
        if key is not None:
            return key
        if prefix is not None:
            self._check_sight()
        await self._note_refusal(NewEvent(event, prefix or "unknown", details={"reason": "invalid"}), place)
        raise KeyInvalid("the API key is unknown, expired or revoked")

    async def _catch_up(self) -> None:
        """Reads keys and sessions that another server may just have made; a flood of unknown ones shares readings."""
        asked_at = time.monotonic()
        await asyncio.sleep(self._ring.rest_s)
        await self._in_thread(lambda: self._ring.renew(asked_at))

    def _check_sight(self) -> None:
        if self._ring.is_blind or self._ring.trouble is not None:
            raise AccessUnavailable("keys cannot be checked at present; try again in a moment")

    async def _note_refusal(self, event: NewEvent, place: str) -> None:
        """Writes a refusal down, unless too many came: then it is not worth a write."""
        wait_s = self._refusals.wait_s(place)
        if wait_s:
            raise RateLimited("too many refused requests came from here", retry_after=wait_s)
        if self._audit is not None:
            await self._audit.record(event)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except StorageInvalid as error:
            raise AccessUnavailable("the database does not answer at present; try again in a moment") from error


def _caller(key: StoredKey, *, is_session: bool = False) -> Caller:
    return Caller(key.prefix, Role(key.role), is_session)
