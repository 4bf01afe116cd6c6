"""Takes what people confirmed of predictions among the labelled images. Knows no HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from hilum.errors import ArchiveNoUsableImages, BlobCorrupt, BlobMissing
from hilum.services.image_reading import IncomingFile
from hilum.storage import feedback, labelled_images
from hilum.storage.blobs import Blobs
from hilum.storage.database import Database
from hilum.storage.feedback import PendingFeedback

log = logging.getLogger(__name__)

_AT_ONCE = 100


class FeedbackPool:
    """Joins confirmed predictions to the labelled images, once each; said otherwise later, the class follows."""

    def __init__(self, database: Database, slices: Blobs) -> None:
        """Takes where predictions and the copies of their images are kept."""
        self._database = database
        self._slices = slices

    def take(self, add: Callable[[Iterator[IncomingFile]], object]) -> int:
        """Hands every confirmed image that is new to `add`, and corrects those that are there.

        What is stopped in between is taken again the next time, and is then a duplicate.

        Returns:
            How many confirmed predictions were looked at.

        Raises:
            StorageInvalid: the database or a store does not answer.
        """
        taken = 0
        while True:
            with self._database.reading() as connection:
                some = feedback.pending(connection, limit=_AT_ONCE)
            if not some:
                return taken
            new = [one for one in some if not self._is_corrected(one)]
            if any(one.kept_sha256 is not None for one in new):
                try:
                    add(self._files(new))
                except ArchiveNoUsableImages as error:  # such as copies of test images
                    log.info("no confirmed image can be trained on", extra={"reason": error.detail})
            with self._database.writing() as connection:
                feedback.mark_joined(connection, some)
            taken += len(some)

    def _is_corrected(self, one: PendingFeedback) -> bool:
        if one.joined_class is None:
            return False
        with self._database.writing() as connection:
            last = labelled_images.lock(connection)
            return labelled_images.rename_feedback(connection, one.image_sha256, one.confirmed_class, sequence=last + 1)

    def _files(self, some: Sequence[PendingFeedback]) -> Iterator[IncomingFile]:
        for index, one in enumerate(some):
            if one.kept_sha256 is None:
                continue
            try:
                data = self._slices.get(one.kept_sha256)
            except (BlobMissing, BlobCorrupt) as error:
                log.error("a confirmed image is lost", extra={"reason": error.detail})  # noqa: TRY400 - it says it all
                continue
            yield IncomingFile(index, data, one.confirmed_class, sha256=one.image_sha256)
