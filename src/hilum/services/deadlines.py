"""Ends what takes too long, by one timer for all that wait on an event loop. Knows tasks and time, not what is awaited.

`asyncio.timeout` makes, queues and takes back a timer for each use. Beside threads that keep the caches for a model,
leaving it out saved the event loop some 15 µs of the 120 that it spends on refusing a slice (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType

_TICK_S = 0.1


class Deadline:
    """A time by which a block of a coroutine is done, to within a tenth of a second; made by `within`.

    Attributes:
        ends_at: that time, of the loop's clock. It may be changed meanwhile.
    """

    __slots__ = ("_cancelling", "_has_passed", "_task", "_watch", "ends_at")

    def __init__(self, watch: _Watch, ends_at: float) -> None:
        self.ends_at = ends_at
        self._watch = watch
        self._has_passed = False

    def __enter__(self) -> Deadline:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline is for what runs in a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._watch.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watch.remove(self)
        is_ours = self._has_passed and self._task.uncancel() <= self._cancelling
        if is_ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from error

    def check(self, now: float) -> None:
        """Ends the block where its time has passed: its await raises, and the block `TimeoutError`."""
        if now >= self.ends_at and not self._has_passed:
            self._has_passed = True
            self._task.cancel()


def within(seconds: float) -> Deadline:
    """A context manager whose block is ended by `TimeoutError` once it has taken so long, or a tenth of a second more.

    For code that runs in a task of the running event loop, as `asyncio.timeout`.
    """
    loop, watch = asyncio.get_running_loop(), _of_thread.watch
    if watch is None or watch.loop is not loop:
        watch = _of_thread.watch = _Watch(loop)
    return Deadline(watch, loop.time() + seconds)


class _Watch:
    """The deadlines of one event loop. Its timer runs while there are some."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._open: set[Deadline] = set()
        self._is_ticking = False

    def add(self, deadline: Deadline) -> None:
        self._open.add(deadline)
        if not self._is_ticking:
            self._is_ticking = True
            self.loop.call_later(_TICK_S, self._tick)

    def remove(self, deadline: Deadline) -> None:
        self._open.discard(deadline)

    def _tick(self) -> None:
        now = self.loop.time()
        for deadline in self._open:
            deadline.check(now)
        self._is_ticking = bool(self._open)
        if self._is_ticking:
            self.loop.call_later(_TICK_S, self._tick)


class _OfThread(threading.local):
    watch: _Watch | None = None


_of_thread = _OfThread()
