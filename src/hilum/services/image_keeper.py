"""Keeps the images of predictions; one that cannot be kept holds no answer up. Knows blobs, no row."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from hilum.errors import BlobCorrupt, BlobMissing, BlobStoreUnavailable, ImageNotKept
from hilum.storage.blobs import Blobs

log = logging.getLogger(__name__)

_REST_S = 5.0
"""After a failure nothing is put for so long."""

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

    def close(self) -> None:
        """Ends the threads."""
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
            if self._trouble is None:
                log.error("images cannot be kept", extra={"reason": error.detail})  # noqa: TRY400 - it says it all
            self._trouble = error.detail
            self._rests_until = time.monotonic() + _REST_S
            return None
        self._trouble = None
        return digest
