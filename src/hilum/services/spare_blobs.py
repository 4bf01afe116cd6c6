"""Deletes bytes that no row names, in two steps, so that none is lost that is just getting its row. Knows no table.

Bytes are put before their row. Between a look at the rows and a deletion a row may come, and no store deletes on
condition. So a sweep only sets bytes aside, where readers still find them; whoever puts them anew writes them anew. A
later sweep looks again: those that have a row come back, the others go. A row that comes within the time that bytes
stay aside is always seen, and `require_prompt` sees to it that none comes later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from hilum.errors import BlobStoreUnavailable
from hilum.storage.blobs import Blobs

Item = TypeVar("Item")

_YOUNG = timedelta(hours=1)
"""Younger bytes are probably about to get their row; to set them aside would be work for nothing."""


class SpareBlobs:
    """Finds and deletes bytes that no row names."""

    def __init__(
        self,
        blobs: Blobs,
        find_used: Callable[[Sequence[str]], set[str]],
        *,
        stays: timedelta,
        at_once: int | None = None,
        is_closing: Callable[[], bool] = lambda: False,
    ) -> None:
        """Takes the bytes and what knows their rows.

        Args:
            blobs: one kind of bytes.
            find_used: those of some sha256 that a row names.
            stays: how long bytes are set aside.
            at_once: so many sha256 are asked about at once; None: all.
            is_closing: whether to end early; the next sweep goes on.
        """
        self._blobs = blobs
        self._find_used = find_used
        self._stays = stays
        self._at_once = at_once
        self._is_closing = is_closing

    def sweep(self, now: datetime) -> int:
        """Deletes what was set aside long enough ago and has no row, and sets aside what has none now.

        Returns:
            How many were deleted.

        Raises:
            StorageInvalid: the database or the store does not answer; the next sweep goes on.
        """
        began = time.monotonic()
        deleted = self._delete_set_aside(now)
        old = [entry.digest for entry in self._blobs.entries() if now - entry.changed_at > _YOUNG]
        for some in self._parts(old):
            if self._is_closing():
                break
            used = self._find_used(some)
            for digest in some:
                if digest not in used:
                    self._blobs.set_aside(digest, now + timedelta(seconds=time.monotonic() - began))
        return deleted

    def _delete_set_aside(self, now: datetime) -> int:
        deleted = 0
        for some in self._parts(list(self._blobs.aside())):
            if self._is_closing():
                break
            used = self._find_used([one.digest for one in some])
            for one in some:
                if one.digest in used:
                    self._blobs.bring_back(one)
                elif now - one.since >= self._stays:
                    self._blobs.delete_aside(one)
                    deleted += 1
        return deleted

    def _parts(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        step = self._at_once or max(1, len(items))
        return (items[start : start + step] for start in range(0, len(items), step))


def require_prompt(began: float, stays: timedelta) -> None:
    """Refuses to give bytes their row so late that they may be gone; to be asked in the transaction that adds it.

    Args:
        began: a moment of `time.monotonic` before the first of them was put.
        stays: how long a sweep sets them aside; half of it is allowed, the rest is for the commit.

    Raises:
        BlobStoreUnavailable: it is too late.
    """
    passed = time.monotonic() - began
    if passed > stays.total_seconds() / 2:
        raise BlobStoreUnavailable(
            f"the bytes were put {passed:.0f} s before their row, so a sweep may have taken them; bring fewer at once"
        )
