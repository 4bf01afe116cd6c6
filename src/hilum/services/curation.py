"""What people decide on single labelled images: out of quarantine, or never trained on again. Knows no HTTP."""

from __future__ import annotations

import uuid
from contextlib import closing

from hilum.dataset.class_names import normalise_class_name
from hilum.errors import (
    DatasetInvalid,
    HoldoutImage,
    ImageStateConflict,
    LabelInvalid,
    LabelledImageNotFound,
    TestSetFrozen,
)
from hilum.services import audit_log as audit
from hilum.services.group_joining import JoinedGroups
from hilum.services.image_pool import FingerprintFile, ImagePool, PoolEntry
from hilum.services.image_reading import ReadImage
from hilum.storage import dataset_snapshots, labelled_images
from hilum.storage.audit_chain import NewEvent
from hilum.storage.audit_log import append
from hilum.storage.database import Database
from hilum.storage.labelled_images import KnownImage, StoredImage

_LONGEST_CLASS = 64


def find(database: Database, image_id: uuid.UUID | None) -> StoredImage:
    """One labelled image.

    Raises:
        LabelledImageNotFound: none has this id.
        DatabaseUnavailable: the database does not answer.
    """
    with database.reading() as connection:
        found = labelled_images.find(connection, image_id) if image_id is not None else None
    if found is None:
        raise LabelledImageNotFound("no labelled image has this id")
    return found


def release(database: Database, image_id: uuid.UUID | None, class_name: str | None, *, event: NewEvent | None) -> None:
    """Takes an image out of quarantine, perhaps with another class; it then counts as new.

    What it must not be a copy of is looked for again, under the lock that uploads take.

    Args:
        database: that keeps the image.
        image_id: of it.
        class_name: what it shows; None: what it was said to show.
        event: for the audit log.

    Raises:
        LabelledImageNotFound: none has this id.
        LabelInvalid: the class can be no class name.
        ImageStateConflict: it is not in quarantine, its pixels are not kept, or a twin of it is accepted.
        HoldoutImage: it, or a copy of it, is on the other side of the split.
        TestSetFrozen: it would join the test set.
        DatabaseUnavailable: the database does not answer.
    """
    image = find(database, image_id)
    label = _class_of(class_name) if class_name is not None else image.class_name
    with closing(FingerprintFile()) as prints, database.writing() as connection:
        last = labelled_images.lock(connection)
        known = list(labelled_images.known(connection))
        itself = next(one for one in known if one.id == image.id)
        is_frozen = dataset_snapshots.newest_sequence(connection) is not None
        _check_releasable(image, itself, is_frozen=is_frozen)
        fingerprint = labelled_images.fingerprints(connection, [image.id]).get(image.id)
        read = ReadImage(
            image.sha256,
            image.size_bytes,
            pixels_sha256=itself.pixels_sha256,
            fingerprint=fingerprint,
            sketch=itself.sketch,
        )
        pool = ImagePool(database, prints, (one for one in known if one.id != image.id))
        alike = _alike(pool, read, image.split)
        joined = _joined(pool, image, alike)
        labelled_images.join_groups(connection, joined.renamed_stored())
        labelled_images.change(
            connection,
            image.id,
            status="accepted",
            class_name=label,
            group_name=joined.name_of(_own_group(pool, image)),
            reasons=[],
            sequence=last + 1,
        )
        if event is not None:
            append(connection, [event])


def delete(database: Database, image_id: uuid.UUID | None, *, event: NewEvent | None) -> None:
    """Sees to it that an image is never trained on again; one that was deleted stays so.

    Raises:
        LabelledImageNotFound: none has this id.
        TestSetFrozen: it is in the test set, by which models are compared.
        DatabaseUnavailable: the database does not answer.
    """
    find(database, image_id)
    with database.writing() as connection:
        labelled_images.lock(connection)
        image = labelled_images.find(connection, image_id) if image_id is not None else None
        if image is None or image.status == "deleted":
            return
        is_frozen = dataset_snapshots.newest_sequence(connection) is not None
        if image.split == "test" and image.status == "accepted" and is_frozen:
            raise TestSetFrozen("the image is in the test set, which is frozen since the first training run")
        labelled_images.change(
            connection,
            image.id,
            status="deleted",
            class_name=image.class_name,
            group_name=image.group_name,
            reasons=image.reasons,
        )
        if event is not None:
            append(connection, [event])


def released_event(actor: str, image_id: str) -> NewEvent:
    """What the audit log says of a release."""
    return NewEvent(audit.IMAGE_RELEASED, actor, image_id)


def deleted_event(actor: str, image_id: str) -> NewEvent:
    """What the audit log says of a deletion."""
    return NewEvent(audit.IMAGE_DELETED, actor, image_id)


def _check_releasable(image: StoredImage, itself: KnownImage, *, is_frozen: bool) -> None:
    if itself.status != "quarantined":
        raise ImageStateConflict(f"the image is {itself.status}; only one in quarantine can be released")
    if image.kept_sha256 is None:
        raise ImageStateConflict("the image could not be read, so its pixels are not kept; send a sound file")
    if image.split == "test" and is_frozen:
        raise TestSetFrozen("the image would join the test set, which is frozen since the first training run")


def _alike(pool: ImagePool, read: ReadImage, split: str) -> list[PoolEntry]:
    """Accepted images the released one must not be parted from; none may be its twin or on the other side."""
    twins = [twin for twin in pool.twins(read) if twin.status == "accepted"]
    if any(twin.split != split for twin in twins) or pool.matches(read, "test" if split == "train" else "train"):
        raise HoldoutImage("the image, or a copy of it, is on the other side of the split between training and test")
    if twins:
        raise ImageStateConflict(f"the same image is accepted as {twins[0].class_name}; delete that one first")
    return [entry for entry, _ in pool.matches(read, split)]


def _own_group(pool: ImagePool, image: StoredImage) -> str:
    """Its group; one that has test images is left, as a person says that the image may be trained on."""
    is_held = image.split == "train" and image.group_name in pool.groups("test")
    return image.sha256[:16] if is_held else image.group_name


def _joined(pool: ImagePool, image: StoredImage, alike: list[PoolEntry]) -> JoinedGroups:
    joined = JoinedGroups(pool.groups("train") | pool.groups("test"))
    for entry in alike:
        joined.join(_own_group(pool, image), entry.group)
    return joined


def _class_of(name: str) -> str:
    try:
        label = normalise_class_name(name)
    except DatasetInvalid as error:
        raise LabelInvalid("the class name holds no letter or digit") from error
    if len(label) > _LONGEST_CLASS:
        raise LabelInvalid(f"a class name has at most {_LONGEST_CLASS} characters")
    return label
