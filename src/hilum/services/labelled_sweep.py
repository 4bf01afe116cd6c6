"""Deletes bytes of labelled images that nothing has any more, or nobody released in time. Knows rows and blobs only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hilum.services.spare_blobs import SpareBlobs
from hilum.storage import dataset_snapshots, labelled_images
from hilum.storage.blobs import Blobs
from hilum.storage.database import Database

STAYS = timedelta(days=1)
"""Bytes that nothing has stay aside for so long; an import gets its rows within half of it, or none."""


def forget_quarantined(database: Database, days: int, now: datetime | None = None) -> int:
    """Forgets the pictures of images that nobody has released from quarantine for so many days; `sweep` deletes them.

    Returns:
        How many.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    before = (now or datetime.now(UTC)) - timedelta(days=days)
    with database.writing() as connection:
        return labelled_images.forget_quarantined(connection, before)


def sweep(database: Database, blobs: Blobs, now: datetime | None = None) -> int:
    """Deletes bytes that neither an image nor a snapshot has, such as an upload leaves that was killed: aside first.

    Returns:
        How many were deleted.

    Raises:
        StorageInvalid: the database or the store does not answer.
    """

    def find_used(digests: Sequence[str]) -> set[str]:
        with database.reading() as connection:
            used = labelled_images.blobs_in_use(connection, digests)  # first: an image may be frozen, then deleted
            return used | dataset_snapshots.blobs_in_use(connection) if len(used) < len(digests) else used

    return SpareBlobs(blobs, find_used, stays=STAYS).sweep(now or datetime.now(UTC))
