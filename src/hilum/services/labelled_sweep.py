"""Deletes bytes of labelled images that nothing has any more, or nobody released in time. Knows rows and blobs only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hilum.storage import dataset_snapshots, labelled_images
from hilum.storage.blobs import Blobs
from hilum.storage.database import Database

_YOUNG = timedelta(hours=1)
"""Bytes younger than this may be about to get their row."""


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
    """Deletes bytes that neither an image nor a snapshot has, such as an upload leaves that was killed.

    Returns:
        How many were deleted.

    Raises:
        StorageInvalid: the database or the store does not answer.
    """
    before = (now or datetime.now(UTC)) - _YOUNG
    old = [entry.digest for entry in blobs.entries() if entry.changed_at < before]
    if not old:
        return 0
    with database.reading() as connection:
        used = labelled_images.blobs_in_use(connection, old) | dataset_snapshots.blobs_in_use(connection)
    spare = [digest for digest in old if digest not in used]
    for digest in spare:
        blobs.delete(digest)
    return len(spare)
