"""A bounded pool for the work that keeps a core busy. Knows threads and a queue; not what is computed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hilum.errors import Overloaded

Result = TypeVar("Result")


def usable_cores() -> int:
    """Cores this process may run on, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """Threads that compute, and a line of limited length before them. Used from one event loop.

    OpenCV and ONNX Runtime release the interpreter lock while they compute, so threads use all cores.
    """

    def __init__(self, *, threads: int = 0, max_waiting: int = 128) -> None:
        """Makes the pool.

        Args:
            threads: computed at once; 0: one for each core.
            max_waiting: calls that may wait for a thread.
        """
        self.threads = threads or usable_cores()
        self.max_waiting = max_waiting
        self._admitted = 0
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="hilum-compute")

    @property
    def admitted(self) -> int:
        """Calls that compute or wait."""
        return self._admitted

    @property
    def is_saturated(self) -> bool:
        """Whether every thread has work; a glance from any thread."""
        return self._admitted >= self.threads

    async def run(self, work: Callable[[], Result]) -> Result:
        """Computes `work()` on a thread.

        Raises:
            Overloaded: too many calls wait already.
        """
        capacity = self.threads + self.max_waiting
        if self._admitted >= capacity:
            raise Overloaded(
                f"{self._admitted} predictions are under way already; try again in a moment",
                limit=capacity,
                actual=self._admitted + 1,
            )
        self._admitted += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._admitted -= 1

    def close(self) -> None:
        """Lets what was admitted finish and ends the threads."""
        self._pool.shutdown(wait=True)
