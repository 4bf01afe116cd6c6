"""Keeps the images of predictions; one that cannot be kept holds no answer up. Knows blobs, no row."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from hilum.errors import BlobCorrupt, BlobMissing, BlobStoreUnavailable, ImageNotKept, StorageInvalid
from hilum.storage.blobs import Blobs

log = logging.getLogger(__name__)

_REST_S = 5.0
"""After a failure nothing is put for so long."""

_LOOK_S = 30.0
"""While nothing is put the store is looked at so often."""

_PUTS_AT_ONCE = 8


class ImageKeeper:
    """Puts copies of slices into a store and finds them again. `put` is for one thread at a time."""

    def __init__(self, blobs: Blobs, *, keeps_images: bool) -> None:
        """Takes the store; without `keeps_images` nothing is put into it."""
        self._blobs = blobs
        self._keeps_images = keeps_images
        self._puts = ThreadPoolExecutor(_PUTS_AT_ONCE, thread_name_prefix="hilum-image-put")
        self._rests_until = 0.0
        self._trouble: str | None = None
        self._last_put = -_LOOK_S
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._look_again, name="hilum-image-look", daemon=True)

    def start(self) -> None:
        """Tries the store out and goes on looking at it, so that trouble shows before a prediction meets it."""
        if self._keeps_images:
            self._thread.start()

    def close(self) -> None:
        """Ends the threads."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join(1)  # a store that hangs is not waited for
        self._puts.shutdown(wait=True)

    @property
    def trouble(self) -> str | None:
        """Why images cannot be kept at present, in words; None where they can, or are not to be."""
        return self._trouble if self._keeps_images else None

    def put(self, files: Sequence[bytes | None]) -> list[str | None]:
        """Keeps files, side by side where the store is far away; the sha256 of each, None where it is not kept."""
        if not self._keeps_images or self._blobs.folder is not None:
            return [self._put(file) for file in files]
        return list(self._puts.map(self._put, files))

    def get(self, digest: str) -> bytes:
        """A kept image, verified.

        Raises:
            ImageNotKept: it is lost or damaged.
            BlobStoreUnavailable: the store does not answer.
        """
        try:
            return self._blobs.get(digest)
        except (BlobMissing, BlobCorrupt) as error:
            log.error("a kept image is lost", extra={"reason": error.detail})  # noqa: TRY400 - it says it all
            raise ImageNotKept("the image of this prediction is no longer there, or is damaged") from error

    def _put(self, file: bytes | None) -> str | None:
        if not self._keeps_images or file is None or time.monotonic() < self._rests_until:
            return None
        try:
            digest = self._blobs.put(file)
        except BlobStoreUnavailable as error:
            self._note(error)
            self._rests_until = time.monotonic() + _REST_S
            return None
        self._trouble, self._last_put = None, time.monotonic()
        return digest

    def _look_again(self) -> None:
        self._look(self._blobs.try_out)
        while not self._closing.wait(_REST_S if self._trouble else _LOOK_S):
            if self._trouble is not None:
                self._look(self._blobs.try_out)
            elif time.monotonic() - self._last_put > _LOOK_S:
                self._look(self._blobs.require_there)  # a bucket that keeps versions would keep every trial

    def _look(self, ask: Callable[[], None]) -> None:
        try:
            ask()
        except StorageInvalid as error:
            self._note(error)
        else:
            self._trouble, self._rests_until = None, 0.0

    def _note(self, error: StorageInvalid) -> None:
        if self._trouble is None:
            log.error("images cannot be kept", extra={"reason": error.detail})
        self._trouble = error.detail
