"""The labelled images: what may be trained on, what may not and why, and frozen sets of them. Knows no HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from hilum.dataset.manifest import DatasetManifest
from hilum.errors import ArchiveNoUsableImages, SnapshotNotFound, UnsupportedMediaType, UploadBatchNotFound
from hilum.services import audit_log as audit
from hilum.services import snapshots
from hilum.services.candidates import Candidate, tally
from hilum.services.image_pool import FingerprintFile, ImagePool
from hilum.services.image_reading import ImageReader, IncomingFile
from hilum.services.intake import Intake, IntakeRules
from hilum.services.model import SlicePredictor
from hilum.storage import dataset_snapshots, labelled_images, upload_batches
from hilum.storage.audit_chain import NewEvent
from hilum.storage.audit_log import append
from hilum.storage.blobs import Blobs
from hilum.storage.database import Database
from hilum.storage.dataset_snapshots import Snapshot
from hilum.storage.labelled_images import ClassCount, NewImage
from hilum.storage.upload_batches import StoredBatch

__all__ = ["ClassCount", "Datasets", "Snapshot", "StoredBatch"]

Source = Literal["import", "upload", "feedback"]


class Datasets:
    """Takes labelled images in and freezes what may be trained on. Safe to use from several threads and processes."""

    def __init__(self, database: Database, blobs: Blobs, *, is_audited: bool = False) -> None:
        """Takes where images are kept.

        Args:
            database: with the newest tables.
            blobs: of kind `hilum.services.state.LABELLED`.
            is_audited: batches get their event in the audit log, in the same commit.
        """
        self._database = database
        self._blobs = blobs
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
            for done, (file, read) in enumerate(ImageReader(predictor).read_all(files, workers=workers), start=1):
                candidate = intake.take(file, read)
                if candidate.is_kept and read.pixel_file is not None:
                    candidate.kept_sha256 = self._blobs.put(read.pixel_file)
                if progress:
                    progress(done)
            _require_usable(intake.candidates)
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
            return labelled_images.counts(connection)

    def images_since_snapshot(self) -> int:
        """How many images were accepted since a training run last froze them.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        with self._database.reading() as connection:
            newest = dataset_snapshots.newest_sequence(connection) or 0
            return labelled_images.count(connection, status="accepted", after=newest)

    def snapshot(self) -> Snapshot:
        """Freezes what may be trained on; it is on disk when this returns.

        The first one sets a grouped part aside as the test set, where no test set was imported.

        Raises:
            TrainingDataInsufficient: there are too few images, classes or groups.
            DatabaseUnavailable: the database does not answer.
        """
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

    def _commit(self, intake: Intake, seen: int, prints: FingerprintFile, source: Source, actor: str) -> StoredBatch:
        """Stores the batch in one transaction, in which nobody else changes what it was compared with."""
        now = datetime.now(UTC)
        with self._database.writing() as connection:
            last = labelled_images.lock(connection)
            newer = labelled_images.known(connection, after=seen)
            joined = intake.conclude(ImagePool(self._database, prints, newer))
            batch = _batch(intake.candidates, source, actor, now)
            upload_batches.add(connection, batch)
            labelled_images.join_groups(connection, joined)
            labelled_images.add(connection, _rows(intake.candidates, batch, prints), after=last)
            if self._is_audited:
                details = {name: str(getattr(batch, name)) for name in ("accepted", "quarantined", "refused")}
                append(connection, [NewEvent(audit.UPLOAD, actor, str(batch.id), details | {"source": source})])
        return batch


def _require_usable(candidates: Sequence[Candidate]) -> None:
    refused = [candidate for candidate in candidates if candidate.status == "refused"]
    if len(refused) < len(candidates):
        return
    if refused and all(candidate.code == UnsupportedMediaType.code for candidate in refused):
        raise UnsupportedMediaType(refused[0].reasons[0]["detail"])
    codes = sorted({candidate.code or "" for candidate in refused})
    told = "; ".join(f"{code}: {sum(c.code == code for c in refused)}" for code in codes) or "there are no files"
    raise ArchiveNoUsableImages(f"no file can be kept ({told})", actual=len(candidates))


def _batch(candidates: Sequence[Candidate], source: Source, actor: str, now: datetime) -> StoredBatch:
    counts = tally(candidates)
    items = [_item(candidate) for candidate in sorted(candidates, key=lambda candidate: candidate.index)]
    return StoredBatch(
        uuid.uuid4(), now, source, actor,
        counts["accepted"], counts["duplicate"], counts["quarantined"], counts["refused"], items,
    )  # fmt: skip


def _item(candidate: Candidate) -> dict[str, Any]:
    return {
        "index": candidate.index,
        "image_id": str(candidate.image_id) if candidate.image_id is not None else None,
        "sha256": candidate.read.sha256,
        "label": candidate.class_name or None,
        "status": candidate.status,
        "code": candidate.code,
        "reasons": [reason["detail"] for reason in candidate.reasons],
    }


def _rows(candidates: Sequence[Candidate], batch: StoredBatch, prints: FingerprintFile) -> Iterator[NewImage]:
    for candidate in candidates:
        entry, read = candidate.entry, candidate.read
        if not candidate.is_kept or entry is None:
            continue
        yield NewImage(
            id=entry.id,
            sequence=0,
            batch_id=batch.id,
            sha256=read.sha256,
            class_name=candidate.class_name,
            group_name=candidate.group,
            split=candidate.split,
            source=batch.source,
            status=candidate.status,
            reasons=candidate.reasons,
            added_at=batch.created_at,
            file_format=read.file_format,
            mode=read.mode,
            width=read.width,
            height=read.height,
            size_bytes=read.size_bytes,
            kept_sha256=candidate.kept_sha256,
            pixels_sha256=read.pixels_sha256,
            sketch=read.sketch.tobytes() if read.sketch is not None else None,
            fingerprint=prints.read(entry.slot) if entry.slot is not None else None,
        )


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
