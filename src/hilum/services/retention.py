"""Deletes predictions by age, and images that none keeps any more. Knows rows and blobs only."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hilum.errors import StorageInvalid
from hilum.services.spare_blobs import SpareBlobs
from hilum.storage import predictions
from hilum.storage.blobs import Blobs
from hilum.storage.database import Database

log = logging.getLogger(__name__)

_EVERY_S = 3600.0
_AT_ONCE = 500
STAYS = timedelta(hours=1)
"""An image that no prediction keeps stays aside for so long; a prediction gets its row well within it."""


class Retention:
    """Deletes what is too old, when it starts and every hour, on a thread of its own."""

    def __init__(self, database: Database, blobs: Blobs, *, days: int) -> None:
        """Takes where predictions and their images are, which stay the caller's to close.

        Args:
            database: of the predictions.
            blobs: their images.
            days: after which predictions are deleted; 0: never.
        """
        self._database = database
        self._days = days
        self._closing = threading.Event()
        self._spare = SpareBlobs(blobs, self._find_used, stays=STAYS, at_once=_AT_ONCE, is_closing=self._closing.is_set)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts to delete, where there is an age at which to."""
        if self._days:
            self._thread = threading.Thread(target=self._sweep_hourly, name="hilum-retention", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Ends what is under way."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def delete_old(self, now: datetime | None = None) -> int:
        """Deletes what is older than the retention, and images that no prediction keeps: set aside first, gone later.

        Returns:
            How many predictions were deleted.

        Raises:
            StorageInvalid: the database or the store of images does not answer; the next time goes on.
        """
        now = now or datetime.now(UTC)
        deleted = 0
        if self._days:
            until = now - timedelta(days=self._days)
            while not self._closing.is_set():
                with self._database.writing() as connection:
                    some = predictions.delete_until(connection, until, limit=_AT_ONCE)
                deleted += some
                if some < _AT_ONCE:
                    break
        self._spare.sweep(now)
        return deleted

    def _find_used(self, digests: Sequence[str]) -> set[str]:
        with self._database.reading() as connection:
            return predictions.images_in_use(connection, digests)

    def _sweep_hourly(self) -> None:
        while True:
            try:
                deleted = self.delete_old()
                log.info("old predictions were deleted", extra={"reason": f"{deleted} older than the retention"})
            except StorageInvalid as error:
                log.warning("old predictions could not be deleted", extra={"reason": error.detail})
            except Exception:
                log.exception("deleting old predictions failed")
            if self._closing.wait(_EVERY_S):
                return
