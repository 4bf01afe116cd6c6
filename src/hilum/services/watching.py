"""Follows what is kept until it has ended, for a limited number of watchers. Knows neither runs nor batches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from hilum.errors import Overloaded

Found = TypeVar("Found")

LOOK_S = 1.0
MOST = 64
"""Streams at once; each keeps a connection open, of which the server has a limited number."""


class Watchers:
    """Those who watch one kind of work. Used from one event loop."""

    def __init__(self, what: str) -> None:
        """Takes what is watched, in words."""
        self._what = what
        self._n = 0
        self._ended = threading.Event()

    def end(self) -> None:
        """Ends every stream: whoever watches asks another server, or this one once it runs again."""
        self._ended.set()

    async def follow(
        self,
        look: Callable[[], Awaitable[Found]],
        *,
        is_active: Callable[[Found], bool],
        shown: Callable[[Found], object] = lambda found: found,
    ) -> AsyncIterator[Found]:
        """What `look` finds, each time that it has changed, from now until it is active no longer or `end`.

        Args:
            look: finds it.
            is_active: whether it may still change.
            shown: the part of it whose change counts.

        Raises:
            Overloaded: too many watch already.
        """
        if self._n >= MOST:
            raise Overloaded(f"too many watch {self._what} already", limit=MOST, actual=self._n + 1)
        self._n += 1
        try:
            last: object = None
            while not self._ended.is_set():
                found = await look()
                if shown(found) != last:
                    last = shown(found)
                    yield found
                if not is_active(found):
                    return
                await asyncio.sleep(LOOK_S)
        finally:
            self._n -= 1
