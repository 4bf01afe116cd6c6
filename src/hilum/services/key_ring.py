"""Which keys and sessions are good, known in memory and renewed from the database every two seconds. Knows no HTTP."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hilum.errors import StorageInvalid
from hilum.services.keys import digest_of
from hilum.storage import keys, sessions
from hilum.storage.database import Database
from hilum.storage.keys import StoredKey
from hilum.storage.sessions import StoredSession

log = logging.getLogger(__name__)

_RENEW_S = 2.0
_LEAST_BETWEEN_S = 0.2
"""A key that is not known may be new, so the database is asked; but not for each of a flood of invalid ones."""

_USE_COARSENESS = timedelta(minutes=1)


@dataclass(frozen=True)
class _Known:
    """What was good when the database was last read.

    Attributes:
        keys, sessions: by hash.
        keys_by_id: the same keys.
    """

    keys: dict[str, StoredKey] = field(default_factory=dict)
    keys_by_id: dict[uuid.UUID, StoredKey] = field(default_factory=dict)
    sessions: dict[str, StoredSession] = field(default_factory=dict)


class KeyRing:
    """Finds keys and sessions without asking the database for each request. Safe to use from several threads.

    Attributes:
        is_blind: whether the database was never read, so that nobody can be told from anybody.
        trouble: why it could not be read the last time, in words; None where it could.

    What is revoked or signed out anywhere is refused here after two seconds. While the database does not answer, what
    was last known stays in force: predictions are to survive an outage, and nobody can be let in anew during one.
    """

    def __init__(self, database: Database) -> None:
        """Takes where keys are kept; `start` begins to read them."""
        self._database = database
        self._known = _Known()
        self._begun_at: float | None = None
        self._renewing = threading.Lock()
        self._closing = threading.Event()
        self._used: dict[uuid.UUID, datetime] = {}
        self._thread: threading.Thread | None = None
        self.is_blind = True
        self.trouble: str | None = None

    def start(self) -> None:
        """Begins to read keys."""
        self._thread = threading.Thread(target=self._renew_regularly, name="hilum-keys", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Keeps when keys were last used, and stops."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        self._keep_uses()

    @property
    def rest_s(self) -> float:
        """Seconds to wait before the database is to be read again."""
        return 0.0 if self._begun_at is None else max(0.0, self._begun_at + _LEAST_BETWEEN_S - time.monotonic())

    def key(self, token: str) -> StoredKey | None:
        """The usable key that `token` is; None where it is none."""
        return self._usable(self._known.keys.get(digest_of(token)))

    def key_of_session(self, token: str) -> StoredKey | None:
        """The usable key with which the running session `token` was opened; None where there is none."""
        session = self._known.sessions.get(digest_of(token))
        if session is None or session.expires_at <= datetime.now(UTC):
            return None
        return self._usable(self._known.keys_by_id.get(session.key_id))

    def renew(self, asked_at: float | None = None) -> None:
        """Reads the database, unless a reading was begun after `asked_at` (of the monotonic clock; by default now)."""
        asked_at = time.monotonic() if asked_at is None else asked_at
        with self._renewing:
            if self._begun_at is not None and self._begun_at >= asked_at:
                return
            self._begun_at = time.monotonic()
            now = datetime.now(UTC)
            try:
                with self._database.reading() as connection:
                    good = [key for key in keys.find_all(connection) if key.is_usable(now)]
                    running = sessions.find_all(connection, now)
            except StorageInvalid as error:
                if self.trouble is None:
                    log.warning("keys cannot be read; those known stay in force", extra={"reason": error.detail})
                self.trouble = error.detail
                return
            self._known = _Known(
                {key.digest: key for key in good}, {key.id: key for key in good}, {one.digest: one for one in running}
            )
            self.is_blind, self.trouble = False, None

    def _usable(self, key: StoredKey | None) -> StoredKey | None:
        now = datetime.now(UTC)
        if key is None or not key.is_usable(now):
            return None
        self._used[key.id] = now
        return key

    def _renew_regularly(self) -> None:
        keep_uses_at = time.monotonic() + _USE_COARSENESS.total_seconds()
        while True:
            try:
                self.renew()
                if time.monotonic() >= keep_uses_at:
                    keep_uses_at = time.monotonic() + _USE_COARSENESS.total_seconds()
                    self._keep_uses()
            except Exception:
                log.exception("reading keys failed")
            if self._closing.wait(_RENEW_S):
                return

    def _keep_uses(self) -> None:
        """Once a minute, since a request is not worth a write."""
        used, self._used = self._used, {}
        if not used:
            return
        try:
            with self._database.writing() as connection:
                keys.touch(connection, list(used.items()))
        except StorageInvalid:  # only the time of the last use is lost
            self._used = used | self._used
