"""Freezes what may be trained on, and lays a frozen set out as files. Knows rows and blobs, no model and no HTTP."""

from __future__ import annotations

import shutil
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hilum.dataset.manifest import DatasetManifest, ImageRecord, Split
from hilum.errors import DatasetManifestInvalid, TrainingDataInsufficient
from hilum.storage import dataset_snapshots, labelled_images
from hilum.storage.blobs import Blobs
from hilum.storage.database import Database
from hilum.storage.dataset_snapshots import Snapshot, SnapshotImage
from hilum.storage.labelled_images import StoredImage

SOURCE = "labelled-images"
"""What the manifest of a snapshot is called; each record has its own source."""

_MANIFEST = "manifest.json"
_LEAST_CLASSES, _LEAST_GROUPS, _LEAST_IMAGES = 2, 2, 5


def freeze(database: Database) -> Snapshot:
    """Freezes the accepted images; it is on disk when this returns.

    Where there is no test set yet, a grouped part is set aside first, for good.

    Raises:
        TrainingDataInsufficient: there are too few images, classes or groups.
        DatabaseUnavailable: the database does not answer.
    """
    with database.writing() as connection:
        last_sequence = labelled_images.lock(connection)
        images = labelled_images.accepted(connection)
        if not any(image.split == "test" for image in images):
            _require_enough(images)
            labelled_images.hold_out(connection, _set_aside(images))
            images = labelled_images.accepted(connection)
        _require_enough([image for image in images if image.split == "train"])
        made = _frozen(images, last_sequence)
        found = dataset_snapshots.find(connection, made.digest)
        if found is None:
            dataset_snapshots.add(connection, made)
        return found or made


def manifest_of(snapshot: Snapshot, root: Path) -> DatasetManifest:
    """The snapshot as a manifest whose files lie, or will lie, below `root`."""
    records = tuple(sorted((_record(image) for image in snapshot.images), key=lambda record: record.path))
    return DatasetManifest(root=root, source=SOURCE, class_names=snapshot.class_names, records=records)


def materialise(snapshot: Snapshot, blobs: Blobs, folder: Path) -> DatasetManifest:
    """Writes a snapshot's images into `folder`, whole or not at all; a folder it wrote earlier is used again.

    Args:
        snapshot: what was frozen.
        blobs: where the bytes are.
        folder: new, or an earlier call's of this very snapshot, or to be replaced.

    Returns:
        The manifest, which also lies in the folder.

    Raises:
        BlobMissing, BlobCorrupt, BlobStoreUnavailable: an image cannot be had.
    """
    root = folder.absolute()
    if _is_whole(root, snapshot.digest):
        return DatasetManifest.load(root / _MANIFEST)
    manifest = manifest_of(snapshot, root)
    partial = root.with_name(root.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        kept = {image.sha256: image.kept_sha256 for image in snapshot.images}
        for record in manifest.records:
            file = partial / record.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(blobs.get(kept[record.sha256]))
        manifest.save(partial / _MANIFEST)
        shutil.rmtree(root, ignore_errors=True)
        partial.rename(root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _is_whole(root: Path, digest: str) -> bool:
    try:
        found = DatasetManifest.load(root / _MANIFEST)
    except DatasetManifestInvalid:
        return False
    return found.digest == digest and found.root == root


def _record(image: SnapshotImage) -> ImageRecord:
    split: Split = "test" if image.split == "test" else "train"
    return ImageRecord(
        path=f"{split}/{image.class_name}/{image.sha256}.{image.file_format}",
        sha256=image.sha256,
        class_name=image.class_name,
        split=split,
        group=image.group,
        source=image.source,
        file_format=image.file_format,
        width=image.width,
        height=image.height,
        mode=image.mode,
        size_bytes=image.size_bytes,
    )


def _frozen(images: Sequence[StoredImage], last_sequence: int) -> Snapshot:
    class_names = tuple(sorted({image.class_name for image in images}))
    rows = tuple(map(_snapshot_image, images))
    made = Snapshot("", datetime.now(UTC), last_sequence, class_names, rows)
    return replace(made, digest=manifest_of(made, Path()).digest)


def _snapshot_image(image: StoredImage) -> SnapshotImage:
    return SnapshotImage(
        image.sha256, image.class_name, image.group_name, image.split, image.source,
        image.file_format, image.width, image.height, image.mode, image.size_bytes, image.kept_sha256 or image.sha256,
    )  # fmt: skip


def _set_aside(images: Sequence[StoredImage]) -> list[uuid.UUID]:
    """Ids of a grouped, stratified fifth of the images, to become the test set."""
    from hilum.dataset.splits import with_test_split

    class_names = tuple(sorted({image.class_name for image in images}))
    records = tuple(_record(_snapshot_image(image)).model_copy(update={"split": ""}) for image in images)
    divided = with_test_split(DatasetManifest(root=Path(), source=SOURCE, class_names=class_names, records=records))
    return [image.id for image, record in zip(images, divided.records, strict=True) if record.split == "test"]


def _require_enough(images: Sequence[StoredImage]) -> None:
    groups: dict[str, set[str]] = defaultdict(set)
    counts: dict[str, int] = defaultdict(int)
    for image in images:
        groups[image.class_name].add(image.group_name)
        counts[image.class_name] += 1
    if len(groups) < _LEAST_CLASSES:
        raise TrainingDataInsufficient(
            f"{len(images)} images of {len(groups)} classes may be trained on; at least {_LEAST_CLASSES} classes are "
            "needed",
            limit=_LEAST_CLASSES,
            actual=len(groups),
        )
    for name in sorted(groups):
        if counts[name] < _LEAST_IMAGES or len(groups[name]) < _LEAST_GROUPS:
            raise TrainingDataInsufficient(
                f"class {name} has {counts[name]} images of {len(groups[name])} patients or series to train on; "
                f"at least {_LEAST_IMAGES} of {_LEAST_GROUPS} are needed"
            )
