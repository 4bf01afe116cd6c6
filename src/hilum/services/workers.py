"""A bounded pool for the work that keeps a core busy. Knows threads and a queue; not what is computed."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hilum.cores import usable_cores
from hilum.errors import Overloaded

Result = TypeVar("Result")

_NICER = 1
_WEIGHT = 0.05
"""Of the last call in the usual time of one: about the last twenty count."""


class Workers:
    """Threads that compute, and a line of limited length before them. Used from one event loop.

    OpenCV and ONNX Runtime release the interpreter lock while they compute, so threads use all cores.
    """

    def __init__(self, *, threads: int = 0, max_waiting: int = 128, max_wait_s: float = math.inf) -> None:
        """Makes the pool.

        Args:
            threads: computed at once; 0: one for each core.
            max_waiting: calls that may wait for a thread.
            max_wait_s: a call that would wait longer, as recent calls took, is refused.
        """
        self.threads = threads or usable_cores()
        self.max_waiting = max_waiting
        self.max_wait_s = max_wait_s
        self._admitted = 0
        self._usual_s = 0.0
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="hilum-compute", initializer=_step_back)

    @property
    def admitted(self) -> int:
        """Calls that compute or wait."""
        return self._admitted

    @property
    def is_saturated(self) -> bool:
        """Whether calls wait for a thread; a glance from any thread."""
        return self._admitted > self.threads

    @property
    def expected_wait_s(self) -> float:
        """How long one call more would wait for a thread, as recent calls took."""
        return max(0, self._admitted - self.threads + 1) * self._usual_s / self.threads

    def check_room(self) -> None:
        """Returns where one call more would be taken.

        Raises:
            Overloaded: too many calls wait already, or it would wait too long.
        """
        self._check_line()
        wait_s = self.expected_wait_s
        if wait_s > self.max_wait_s:
            raise Overloaded(
                "the predictions under way leave no core free soon enough; try again in a moment",
                limit=self.max_wait_s,
                actual=round(wait_s, 3),
            )

    async def run(self, work: Callable[[], Result], *, is_let_in: bool = False) -> Result:
        """Computes `work()` on a thread.

        Args:
            work: what to compute.
            is_let_in: `check_room` found room before its body was read: to refuse it now would waste that, and only the
                length of the line can.

        Raises:
            Overloaded: as `check_room`.
        """
        if is_let_in:
            self._check_line()
        else:
            self.check_room()
        self._admitted += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._timed, work)
        finally:
            self._admitted -= 1

    def _check_line(self) -> None:
        capacity = self.threads + self.max_waiting
        if self._admitted >= capacity:
            raise Overloaded(
                f"{self._admitted} predictions are under way already; try again in a moment",
                limit=capacity,
                actual=self._admitted + 1,
            )

    def _timed(self, work: Callable[[], Result]) -> Result:
        started_at = time.perf_counter()
        try:
            return work()
        finally:
            taken_s = time.perf_counter() - started_at
            self._usual_s += (taken_s - self._usual_s) * (_WEIGHT if self._usual_s else 1)

    def close(self) -> None:
        """Lets what was admitted finish and ends the threads."""
        self._pool.shutdown(wait=True)


def _step_back() -> None:
    """Lets the event loop run first: it refuses, answers probes and hands out work, and takes little time for each.

    Linux has a priority for each thread; elsewhere it is the process's, and stays.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + _NICER)
