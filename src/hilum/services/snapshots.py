"""Freezes what may be trained on, and lays a frozen set out as files. Knows rows and blobs, no model and no HTTP."""

from __future__ import annotations

import shutil
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from hilum.dataset.manifest import DatasetManifest, ImageRecord, Split, digest_of
from hilum.errors import DatasetManifestInvalid, TrainingDataInsufficient
from hilum.storage import dataset_snapshots, labelled_counts, labelled_images
from hilum.storage.blobs import Blobs
from hilum.storage.database import Database
from hilum.storage.dataset_snapshots import Snapshot, SnapshotImage
from hilum.storage.labelled_counts import ClassCount
from hilum.storage.labelled_images import StoredImage

SOURCE = "labelled-images"
"""What the manifest of a snapshot is called; each record has its own source."""

_MANIFEST = "manifest.json"
_LEAST_CLASSES, _LEAST_GROUPS, _LEAST_IMAGES = 2, 2, 5
_LEAST_GROUPS_TO_SPLIT = 3
"""Of a class, before a test set is set aside: it takes one group of so many at the most."""

_LOOKS = 3
"""As often as others change images meanwhile, before they are made to wait."""


def freeze(database: Database) -> Snapshot:
    """Freezes the accepted images; it is on disk when this returns.

    Where there is no test set yet, a grouped part is set aside first, for good. A class that has no test images and
    too few others is left out until it has more: one image of a new class must not stop all training.

    Raises:
        TrainingDataInsufficient: there are too few classes, or too few images of one that is tested.
        DatabaseUnavailable: the database does not answer.
    """
    return _freeze_aside(database) or _freeze_locked(database)


def _freeze_aside(database: Database) -> Snapshot | None:
    """Reads and names the images while others write, who wait only until the snapshot is written.

    Returns:
        None where there is no test set yet, or where others changed images each time.
    """
    for _ in range(_LOOKS):
        with database.reading() as connection:
            standing = labelled_counts.standing(connection)
            images = labelled_images.accepted(connection)
        if not _has_test_set(images):
            return None
        made = _frozen(images, standing.last_sequence)
        with database.reading() as connection:
            found = dataset_snapshots.find(connection, made.digest)
        if found is not None:
            return found
        with database.writing() as connection:
            labelled_images.lock(connection)
            if labelled_counts.standing(connection) == standing:
                return dataset_snapshots.keep(connection, made)
    return None


def _freeze_locked(database: Database) -> Snapshot:
    """Sets a test set aside where there is none, and freezes; others wait until all of it is done."""
    with database.writing() as connection:
        last_sequence = labelled_images.lock(connection)
        images = labelled_images.accepted(connection)
        if not _has_test_set(images):
            ready = _of_classes(images, *_sufficient(images, least_groups=_LEAST_GROUPS_TO_SPLIT))
            _require_classes(ready)
            labelled_images.hold_out(connection, _set_aside(ready))
            images = labelled_images.accepted(connection)
        return dataset_snapshots.keep(connection, _frozen(images, last_sequence))


def _has_test_set(images: Sequence[StoredImage]) -> bool:
    return any(image.split == "test" for image in images)


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


def _split_of(image: SnapshotImage) -> Split:
    return "test" if image.split == "test" else "train"


def _record(image: SnapshotImage) -> ImageRecord:
    split = _split_of(image)
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


def _frozen(accepted: Sequence[StoredImage], last_sequence: int) -> Snapshot:
    """What of the accepted images can be learnt from."""
    tested = {image.class_name for image in accepted if image.split == "test"}
    images = _of_classes(accepted, *tested, *_sufficient(accepted))
    _require_enough(images)
    class_names = tuple(sorted({image.class_name for image in images}))
    rows = tuple(map(_snapshot_image, images))
    digest = digest_of(class_names, ((one.sha256, one.class_name, _split_of(one), one.group) for one in rows))
    return Snapshot(digest, datetime.now(UTC), last_sequence, class_names, rows)


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


def too_small_classes(counts: Iterable[ClassCount], n_groups: Mapping[str, int]) -> dict[str, int]:
    """Classes with too few images to learn from and none to be tested on, with how many they have.

    Args:
        counts: of all accepted images.
        n_groups: groups of each class that may be trained on.
    """
    trained: Counter[str] = Counter()
    tested = set()
    for row in counts:
        if row.split == "train":
            trained[row.class_name] += row.count
        else:
            tested.add(row.class_name)
    return {
        name: trained[name]
        for name in sorted(set(trained) - tested)
        if not _suffices(trained[name], n_groups.get(name, 0), _LEAST_GROUPS)
    }


def _sufficient(images: Sequence[StoredImage], *, least_groups: int = _LEAST_GROUPS) -> list[str]:
    """Classes with enough images, of enough groups, to learn from."""
    groups: dict[str, set[str]] = defaultdict(set)
    counts = Counter(image.class_name for image in images if image.split == "train")
    for image in images:
        if image.split == "train":
            groups[image.class_name].add(image.group_name)
    return [name for name in groups if _suffices(counts[name], len(groups[name]), least_groups)]


def _suffices(n_images: int, n_groups: int, least_groups: int) -> bool:
    return n_images >= _LEAST_IMAGES and n_groups >= least_groups


def _of_classes(images: Sequence[StoredImage], *names: str) -> list[StoredImage]:
    return [image for image in images if image.class_name in names]


def _require_classes(images: Sequence[StoredImage]) -> None:
    found = len({image.class_name for image in images})
    if found < _LEAST_CLASSES:
        raise TrainingDataInsufficient(
            f"{found} classes have at least {_LEAST_IMAGES} images of {_LEAST_GROUPS} patients or series (of "
            f"{_LEAST_GROUPS_TO_SPLIT} where there is no test set yet) to train on; {_LEAST_CLASSES} are needed",
            limit=_LEAST_CLASSES,
            actual=found,
        )


def _require_enough(images: Sequence[StoredImage]) -> None:
    _require_classes(images)
    sufficient = _sufficient(images)
    for name in sorted({image.class_name for image in images}):
        if name not in sufficient:
            count = sum(image.class_name == name and image.split == "train" for image in images)
            raise TrainingDataInsufficient(
                f"class {name} is tested and has {count} images to train on; at least {_LEAST_IMAGES} of "
                f"{_LEAST_GROUPS} patients or series are needed",
                limit=_LEAST_IMAGES,
                actual=count,
            )
