"""Makes answers durable in groups: one transaction for all that wait, then all are told. Knows no table.

A database syncs its log once a commit, which takes milliseconds. Answers that arrive during a commit share the next.
While slices wait for a core a commit waits a little for more: that delays no computing, and a commit costs the
processor nearly the same for one answer as for ten. It goes ahead at once when a core could become idle.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hilum.errors import StorageInvalid
from hilum.services.deadlines import within

Entry = TypeVar("Entry")
Receipt = TypeVar("Receipt")

log = logging.getLogger(__name__)

_LARGEST_GROUP = 128
_GATHER_S = 0.05
_PATIENCE_S = 2.0
_REST_S = 1.0
"""After a failure entries are refused at once for so long; the next one then tries again."""


@dataclass
class _Waiting(Generic[Entry, Receipt]):
    entry: Entry
    told: asyncio.Future[Receipt | None]
    loop: asyncio.AbstractEventLoop
    is_abandoned: bool = False


class GroupWriter(Generic[Entry, Receipt]):
    """A thread that commits what waits. Entries come from event loops.

    Attributes:
        trouble: why the last commit failed, in words; None where it did not.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Entry]], Sequence[Receipt]],
        *,
        is_saturated: Callable[[], bool] = lambda: False,
        gather_s: float = _GATHER_S,
        patience_s: float = _PATIENCE_S,
        what: str = "predictions",
    ) -> None:
        """Takes what makes a group durable.

        Args:
            commit: keeps all entries or none, and returns a receipt for each, or raises `StorageInvalid`.
            is_saturated: whether work waits for a core, so that a commit waits for more entries.
            gather_s: it waits so long at most.
            patience_s: an entry is given up after so long.
            what: entries are called in the log.
        """
        self._commit = commit
        self._is_saturated = is_saturated
        self._gather_s = gather_s
        self._patience_s = patience_s
        self._what = what
        self._waiting: list[_Waiting[Entry, Receipt]] = []
        self._changed = threading.Condition()
        self._is_closing = False
        self._rests_until = 0.0
        self._busy_since: float | None = None
        self._thread: threading.Thread | None = None
        self.trouble: str | None = None

    def start(self) -> None:
        """Starts the thread."""
        self._thread = threading.Thread(target=self._work, name="hilum-history", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Commits what waits and ends the thread."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    async def write(self, entry: Entry) -> Receipt | None:
        """Waits until `entry` is durable.

        Returns:
            Its receipt; None where that could not be done, or not in time.
        """
        if self._is_stuck():
            return None
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Entry, Receipt] = _Waiting(entry, loop.create_future(), loop)
        with self._changed:
            if self._is_closing:
                return None
            self._waiting.append(waiting)
            if len(self._waiting) == 1 or not self._is_saturated():
                self._changed.notify()
        try:
            with within(self._patience_s):
                return await waiting.told
        except TimeoutError:
            waiting.is_abandoned = True
            self.trouble = f"nothing was stored within {self._patience_s:g} s"
            return None

    def _is_stuck(self) -> bool:
        now = time.monotonic()
        busy_since = self._busy_since
        return now < self._rests_until or (busy_since is not None and now - busy_since > self._patience_s)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_closing:
                    self._changed.wait()
                if not self._waiting:
                    return
                if self._is_saturated():
                    self._changed.wait_for(lambda: self._is_closing or not self._is_saturated(), self._gather_s)
                group, self._waiting = self._waiting[:_LARGEST_GROUP], self._waiting[_LARGEST_GROUP:]
            group = [waiting for waiting in group if not waiting.is_abandoned]
            if group:
                self._tell(group, self._committed(group))

    def _committed(self, group: Sequence[_Waiting[Entry, Receipt]]) -> Sequence[Receipt | None]:
        self._busy_since = time.monotonic()
        try:
            receipts = self._commit([waiting.entry for waiting in group])
        except StorageInvalid as error:
            self._fail(error.detail)
        except Exception:
            self._fail("storing failed; the log says why")
            log.exception("storing %s failed", self._what)
        else:
            if self.trouble is not None:
                log.warning("%s are stored again", self._what)
            self.trouble = None
            return receipts
        finally:
            self._busy_since = None
        return [None] * len(group)

    def _fail(self, reason: str) -> None:
        if self.trouble is None:
            log.error("%s cannot be stored", self._what, extra={"reason": reason})
        self.trouble = reason
        self._rests_until = time.monotonic() + _REST_S

    @staticmethod
    def _tell(group: Sequence[_Waiting[Entry, Receipt]], receipts: Sequence[Receipt | None]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Receipt | None], Receipt | None]]] = {}
        for waiting, receipt in zip(group, receipts, strict=True):
            by_loop.setdefault(waiting.loop, []).append((waiting.told, receipt))
        for loop, told in by_loop.items():
            try:
                loop.call_soon_threadsafe(_resolve, told)
            except RuntimeError:  # the loop has ended, and with it who waited
                log.warning("nobody waits any longer for what was stored")


def _resolve(told: Sequence[tuple[asyncio.Future[Receipt | None], Receipt | None]]) -> None:
    for future, receipt in told:
        if not future.done():
            future.set_result(receipt)
