"""The labelled images: what may be trained on, what may not and why, and frozen sets of them. Knows no HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from hilum.dataset.manifest import DatasetManifest
from hilum.errors import (
    BlobCorrupt,
    BlobMissing,
    ImageNotKept,
    SnapshotNotFound,
    UploadBatchNotFound,
)
from hilum.imaging.decode import Decode, decode
from hilum.inference.explain import encode_png, grey_picture
from hilum.services import audit_log as audit
from hilum.services import curation, snapshots
from hilum.services.batch_report import batch_of, require_usable, rows_of
from hilum.services.dataset_overview import Overview, overview
from hilum.services.feedback_pool import FeedbackPool
from hilum.services.image_pool import FingerprintFile, ImagePool
from hilum.services.image_reading import ImageReader, IncomingFile
from hilum.services.intake import Intake, IntakeRules
from hilum.services.labelled_sweep import STAYS, forget_quarantined, sweep
from hilum.services.model import SlicePredictor
from hilum.services.spare_blobs import require_prompt
from hilum.services.state import LABELLED, StatePlaces
from hilum.storage import dataset_snapshots, labelled_counts, labelled_images, upload_batches
from hilum.storage.audit_chain import NewEvent
from hilum.storage.audit_log import append
from hilum.storage.blobs import Blobs
from hilum.storage.database import Database
from hilum.storage.dataset_snapshots import Snapshot
from hilum.storage.labelled_counts import ClassCount
from hilum.storage.labelled_images import ImageFilter, StoredImage
from hilum.storage.upload_batches import StoredBatch

__all__ = [
    "ClassCount",
    "Datasets",
    "ImageFilter",
    "Overview",
    "Snapshot",
    "StoredBatch",
    "StoredImage",
    "open_datasets",
]

Source = Literal["import", "upload", "feedback"]


class Datasets:
    """Takes labelled images in and freezes what may be trained on. Safe to use from several threads and processes."""

    def __init__(
        self, database: Database, blobs: Blobs, *, slices: Blobs | None = None, is_audited: bool = False
    ) -> None:
        """Takes where images are kept.

        Args:
            database: with the newest tables.
            blobs: of kind `hilum.services.state.LABELLED`.
            slices: images of predictions, of which confirmed ones join; None takes none of them.
            is_audited: batches, releases and deletions get their event in the audit log, in the same commit.
        """
        self._database = database
        self._blobs = blobs
        self._feedback = FeedbackPool(database, slices) if slices is not None else None
        self._is_audited = is_audited

    def close(self) -> None:
        """Closes the connections."""
        self._database.close()

    def add(
        self,
        files: Iterable[IncomingFile],
        *,
        source: Source,
        predictor: SlicePredictor | None = None,
        decoder: Decode = decode,
        takes_new_classes: bool = False,
        actor: str = audit.OPEN,
        workers: int = 1,
        progress: Callable[[int], None] | None = None,
    ) -> StoredBatch:
        """Takes a batch in; it is on disk when this returns, whole or not at all.

        Args:
            files: test images first, so that a copy of one is recognised; read once, few at a time.
            source: where they come from.
            predictor: the served model, whose gate and answers are asked; None asks nobody.
            decoder: decodes the images.
            takes_new_classes: whether classes that nobody knows are meant.
            actor: who brings them.
            workers: threads that decode.
            progress: called with the number of files done.

        Returns:
            The batch with its report, an item for each file by its index.

        Raises:
            ArchiveNoUsableImages: no file is an image that may be kept.
            StorageInvalid: the database or the store does not answer.
        """
        classes = frozenset(predictor.manifest.class_names) if predictor is not None else frozenset()
        with closing(FingerprintFile()) as prints:
            with self._database.reading() as connection:
                pool = ImagePool(self._database, prints, labelled_images.known(connection))
                is_frozen = dataset_snapshots.newest_sequence(connection) is not None
            rules = IntakeRules(source, classes, takes_new_classes, is_test_frozen=is_frozen)
            intake = Intake(pool, prints, rules)
            reader = ImageReader(predictor, decoder=decoder)
            for done, (file, read) in enumerate(reader.read_all(files, workers=workers), start=1):
                candidate = intake.take(file, read)
                if candidate.is_kept and read.pixel_file is not None:
                    candidate.kept_sha256 = self._blobs.put(read.pixel_file)
                if progress:
                    progress(done)
            require_usable(intake.candidates)
            return self._commit(intake, pool.last_sequence, prints, source, actor)

    def batch(self, batch_id: str) -> StoredBatch:
        """A batch with its report.

        Raises:
            UploadBatchNotFound: none has this id.
            DatabaseUnavailable: the database does not answer.
        """
        key = _uuid(batch_id)
        with self._database.reading() as connection:
            found = upload_batches.find(connection, key) if key is not None else None
        if found is None:
            raise UploadBatchNotFound("no upload has this id")
        return found

    def distribution(self) -> Sequence[ClassCount]:
        """Accepted images by class, split and source.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        with self._database.reading() as connection:
            return labelled_counts.counts(connection)

    def overview(self) -> Overview:
        """The labelled images as a whole, what to mend and what to label next.

        Raises:
            StorageInvalid: the database or the store does not answer.
        """
        self.take_feedback()
        return overview(self._database)

    def take_feedback(self) -> int:
        """Takes in what was confirmed of predictions since the last time; how many predictions that were.

        Raises:
            StorageInvalid: the database or the store does not answer.
        """
        if self._feedback is None:
            return 0
        return self._feedback.take(
            lambda files: self.add(files, source="feedback", takes_new_classes=True, actor=audit.SYSTEM)
        )

    def page(self, wanted: ImageFilter, *, before: int | None = None, limit: int = 50) -> Sequence[StoredImage]:
        """The newest `limit` images that are wanted and numbered below `before`.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        with self._database.reading() as connection:
            return labelled_images.page(connection, wanted, before=before, limit=limit)

    def image(self, image_id: str) -> StoredImage:
        """One labelled image.

        Raises:
            LabelledImageNotFound: none has this id.
            DatabaseUnavailable: the database does not answer.
        """
        return curation.find(self._database, _uuid(image_id))

    def thumbnail(self, image_id: str, side: int) -> bytes:
        """A labelled image as a grey PNG whose long side has at most `side` pixels.

        Raises:
            LabelledImageNotFound: none has this id.
            ImageNotKept: its pixels are not kept, or lost.
            StorageInvalid: the database or the store does not answer.
        """
        image = self.image(image_id)
        if image.kept_sha256 is None:
            raise ImageNotKept("the image could not be read, so its pixels are not kept")
        try:
            data = self._blobs.get(image.kept_sha256)
        except (BlobMissing, BlobCorrupt) as error:
            raise ImageNotKept("the image is no longer there, or is damaged") from error
        return encode_png(grey_picture(decode(data).pixels, max_side=side))

    def release(self, image_id: str, class_name: str | None = None, *, actor: str = audit.OPEN) -> StoredImage:
        """Takes an image out of quarantine, perhaps with another class. Raises as `hilum.services.curation.release`."""
        event = curation.released_event(actor, image_id) if self._is_audited else None
        curation.release(self._database, _uuid(image_id), class_name, event=event)
        return self.image(image_id)

    def delete(self, image_id: str, *, actor: str = audit.OPEN) -> None:
        """Sees to it that an image is never trained on again. Raises as `hilum.services.curation.delete`."""
        event = curation.deleted_event(actor, image_id) if self._is_audited else None
        curation.delete(self._database, _uuid(image_id), event=event)

    def images_since_snapshot(self) -> int:
        """How many images were accepted since a training run last froze them.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        with self._database.reading() as connection:
            newest = dataset_snapshots.newest_sequence(connection) or 0
            return labelled_counts.count(connection, status="accepted", after=newest)

    def image_ids(self, digests: Sequence[str]) -> dict[str, str]:
        """Ids of accepted images by sha256, of those that are there.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        with self._database.reading() as connection:
            found = labelled_images.accepted_twins(connection, digests)
        return {digest: str(image_id) for digest, image_id in found.items()}

    def snapshot(self) -> Snapshot:
        """Freezes what may be trained on; it is on disk when this returns.

        The first one sets a grouped part aside as the test set, where no test set was imported.

        Raises:
            TrainingDataInsufficient: there are too few images, classes or groups.
            DatabaseUnavailable: the database does not answer.
        """
        self.take_feedback()
        return snapshots.freeze(self._database)

    def find_snapshot(self, digest: str) -> Snapshot:
        """A frozen set.

        Raises:
            SnapshotNotFound: none has this digest.
            DatabaseUnavailable: the database does not answer.
        """
        with self._database.reading() as connection:
            found = dataset_snapshots.find(connection, digest)
        if found is None:
            raise SnapshotNotFound("no dataset snapshot has this digest")
        return found

    def materialise(self, digest: str, folder: Path) -> DatasetManifest:
        """Writes a frozen set's images into `folder`, whole or not at all; one it wrote earlier is used again.

        Raises:
            SnapshotNotFound: none has this digest.
            StorageInvalid: an image is lost, or the state does not answer.
        """
        return snapshots.materialise(self.find_snapshot(digest), self._blobs, folder)

    def sweep(self, now: datetime | None = None) -> int:
        """Deletes bytes that nothing has any more. Raises as `hilum.services.labelled_sweep.sweep`."""
        return sweep(self._database, self._blobs, now)

    def forget_quarantined(self, days: int, now: datetime | None = None) -> int:
        """Forgets pictures quarantined that long. Raises as `hilum.services.labelled_sweep.forget_quarantined`."""
        return forget_quarantined(self._database, days, now)

    def _commit(self, intake: Intake, seen: int, prints: FingerprintFile, source: Source, actor: str) -> StoredBatch:
        """Stores the batch in one transaction, in which nobody else changes what it was compared with."""
        now = datetime.now(UTC)
        with self._database.writing() as connection:
            last = labelled_images.lock(connection)
            newer = labelled_images.known(connection, after=seen)
            joined = intake.conclude(ImagePool(self._database, prints, newer))
            batch = batch_of(intake.candidates, source, actor, now)
            upload_batches.add(connection, batch)
            labelled_images.join_groups(connection, joined)
            labelled_images.add(connection, rows_of(intake.candidates, batch, prints), after=last)
            if self._is_audited:
                details = {name: str(getattr(batch, name)) for name in ("accepted", "quarantined", "refused")}
                append(connection, [NewEvent(audit.UPLOAD, actor, str(batch.id), details | {"source": source})])
            require_prompt(intake.began, STAYS)
        return batch


def open_datasets(places: StatePlaces, *, is_audited: bool = False) -> Datasets:
    """The labelled images that lie where `places` says; no connection is opened yet.

    Raises:
        StorageInvalid: an address is of no known kind, or a folder cannot be made.
    """
    return Datasets(
        places.open_database(), places.open_blobs(LABELLED), slices=places.open_blobs(), is_audited=is_audited
    )


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
