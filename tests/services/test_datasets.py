"""What may be trained on: copies of test images never, each content once, frozen as it was. On both databases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection

from hilum.errors import (
    ArchiveNoUsableImages,
    BlobMissing,
    SnapshotNotFound,
    TrainingDataInsufficient,
    UploadBatchNotFound,
)
from hilum.imaging.decode import decode
from hilum.services.audit_log import export
from hilum.services.datasets import Datasets, ImageFilter
from hilum.services.image_reading import IncomingFile
from hilum.services.state import LABELLED
from hilum.storage import labelled_images
from hilum.storage.blobs import folder_url, open_blobs
from hilum.storage.database import Database
from hilum.storage.labelled_images import StoredImage
from labelled_samples import CLASSES, copies_of, drawn_png, incoming, many, opened_datasets


@pytest.fixture
def datasets(database_url: str, tmp_path: Path) -> Iterator[Datasets]:
    """An empty store, whose classes are made by the first import."""
    with opened_datasets(database_url, tmp_path / "blobs", is_audited=True) as opened:
        yield opened


def add(datasets: Datasets, files: list[IncomingFile], **changes: object) -> list[tuple[str, str | None]]:
    """Takes an import in, new classes too; the status and code of each file."""
    given = {"source": "import", "takes_new_classes": True} | changes
    return [(item["status"], item["code"]) for item in datasets.add(files, **given).items]  # type: ignore[arg-type]


def counted(datasets: Datasets) -> dict[tuple[str, str], int]:
    """Accepted images by class and split."""
    return {(row.class_name, row.split): row.count for row in datasets.distribution()}


@pytest.mark.parametrize("kind", ["bytes", "pixels", "near", "jpeg", "crop"])
def test_no_copy_of_a_test_image_may_be_trained_on(datasets: Datasets, kind: str) -> None:
    add(datasets, many(100, 3, split="test"))

    copy = copies_of(100)[kind]
    sent = incoming((copy, "adenocarcinoma"), (copy, "normal"), (drawn_png(7), "normal"))  # whatever it is said to be
    assert add(datasets, sent) == [("refused", "holdout-image")] * 2 + [("accepted", None)]
    with pytest.raises(ArchiveNoUsableImages, match="holdout-image: 1"):
        add(datasets, incoming((copy, "normal")))
    add(datasets, many(300, 5))
    trained = {image.sha256 for image in datasets.snapshot().images if image.split == "train"}
    assert hashlib.sha256(copy).hexdigest() not in trained
    assert len(trained) == 11


def test_a_test_image_must_not_be_trained_on_already(datasets: Datasets) -> None:
    add(datasets, many(100, 3))

    sent = [*copies_of(100).values(), drawn_png(7)]
    found = add(datasets, incoming(*((data, "adenocarcinoma") for data in sent), split="test"))
    assert found == [("refused", "training-image")] * 5 + [("accepted", None)]


def test_a_copy_of_a_stored_image_is_reported_once_with_the_image_it_repeats(datasets: Datasets) -> None:
    first = datasets.add(incoming((drawn_png(1), "normal")), source="upload", takes_new_classes=True)
    again = datasets.add(
        incoming((drawn_png(1), "normal"), (copies_of(1)["pixels"], "normal"), (drawn_png(2), "normal")),
        source="upload",
    )

    assert [item["status"] for item in again.items] == ["duplicate", "duplicate", "accepted"]
    assert {item["image_id"] for item in again.items[:2]} == {first.items[0]["image_id"]}
    assert (again.accepted, again.duplicates) == (1, 2)
    assert counted(datasets) == {("normal", "train"): 2}


def test_contradicting_labels_are_quarantined_both_where_they_came_together(datasets: Datasets) -> None:
    assert (
        add(datasets, incoming((drawn_png(1), "normal"), (drawn_png(1), "adenocarcinoma")))
        == [("quarantined", "label-conflict")] * 2
    )
    assert add(datasets, incoming((drawn_png(2), "normal"))) == [("accepted", None)]
    assert add(datasets, incoming((copies_of(2)["pixels"], "adenocarcinoma"))) == [("quarantined", "label-conflict")]
    assert counted(datasets) == {("normal", "train"): 1}  # whoever comes later does not undo what is there


def test_near_copies_and_other_crops_share_a_group(datasets: Datasets) -> None:
    add(datasets, many(200, 3))
    copies = copies_of(200)
    alike = incoming((copies["near"], "adenocarcinoma"), (copies["crop"], "adenocarcinoma"))
    assert {status for status, _ in add(datasets, alike)} == {"accepted"}
    pairs = {finding.code: finding.examples for finding in datasets.overview().findings if finding.examples}
    assert sum(map(len, pairs.values())) == 2
    assert set(pairs) <= {"near-copies", "other-crops"}
    assert all(one.other_image_id not in {None, one.image_id} for examples in pairs.values() for one in examples)
    add(datasets, incoming((drawn_png(5), "normal"), (drawn_png(6), "normal"), group="patient-17"))
    add(datasets, incoming((copies_of(5)["near"], "normal"), (drawn_png(8), "normal"), group="series-2"))
    add(datasets, many(300, 3))

    groups = {image.sha256: image.group for image in datasets.snapshot().images}
    of = {
        name: groups[hashlib.sha256(data).hexdigest()]
        for name, data in copies.items()
        if name in {"near", "crop", "bytes"}
    }
    assert len(set(of.values())) == 1
    named = [
        groups[hashlib.sha256(data).hexdigest()]
        for data in (drawn_png(5), drawn_png(6), copies_of(5)["near"], drawn_png(8))
    ]
    assert named == ["patient-17"] * 4


def test_the_patient_of_a_test_image_is_not_trained_on(datasets: Datasets) -> None:
    add(datasets, incoming((drawn_png(100), "normal"), split="test", group="patient-1"))

    assert add(datasets, incoming((drawn_png(2), "normal"), group="patient-1")) == [("quarantined", "holdout-group")]
    mixed = incoming((copies_of(100)["crop"], "normal"), (drawn_png(3), "normal"), group="scan-9")
    assert add(datasets, mixed) == [("refused", "holdout-image"), ("quarantined", "holdout-group")]


def test_unknown_classes_wait_until_they_are_meant(datasets: Datasets) -> None:
    add(datasets, many(10, 1))
    assert add(datasets, incoming((drawn_png(1), "hamartoma")), takes_new_classes=False) == [
        ("quarantined", "label-unknown")
    ]
    assert add(datasets, incoming((drawn_png(2), "hamartoma"))) == [("accepted", None)]
    assert add(datasets, incoming((drawn_png(3), "hamartoma")), takes_new_classes=False) == [("accepted", None)]


def test_what_is_no_image_is_refused_and_what_is_damaged_quarantined(datasets: Datasets) -> None:
    sent = [(b"<svg/>", "normal"), (b"", "normal"), (drawn_png(1)[:-300], "normal"), (drawn_png(2), "normal")]
    assert [code for _, code in add(datasets, incoming(*sent))] == [
        "unsupported-media-type", "empty-file", "image-truncated", None,
    ]  # fmt: skip
    with pytest.raises(ArchiveNoUsableImages, match="empty-file: 1; unsupported-media-type: 1"):
        add(datasets, incoming((b"<svg/>", "normal"), (b"", "normal")))
    assert counted(datasets) == {("normal", "train"): 1}


def test_a_batch_is_compared_with_what_was_stored_while_it_came(datasets: Datasets) -> None:
    def interrupted() -> Iterator[IncomingFile]:
        yield from incoming((drawn_png(1), "normal"), (drawn_png(2), "normal"), (copies_of(3)["crop"], "normal"))
        add(datasets, incoming((drawn_png(1), "normal"), (drawn_png(2), "adenocarcinoma")))
        add(datasets, incoming((drawn_png(3), "normal"), split="test"))

    batch = datasets.add(interrupted(), source="upload", takes_new_classes=True)
    assert [item["code"] for item in batch.items] == ["duplicate", "label-conflict", "holdout-image"]


def test_two_processes_that_bring_the_same_images_at_once_keep_each_once(
    datasets: Datasets, database_url: str, tmp_path: Path
) -> None:
    with opened_datasets(database_url, tmp_path / "blobs") as other, ThreadPoolExecutor(2) as pool:
        sent = [many(700, 6), list(reversed(many(700, 6)))]
        reports = [
            pool.submit(one.add, files, source="upload", takes_new_classes=True)
            for one, files in zip((datasets, other), sent, strict=True)
        ]
        first, second = (report.result() for report in reports)

    assert first.accepted + second.accepted == 12
    assert first.duplicates + second.duplicates == 12
    assert sum(counted(datasets).values()) == 12
    assert sorted(image.sequence for image in datasets.page(ImageFilter(), limit=100)) == list(range(1, 13))


def test_without_a_test_split_the_first_snapshot_sets_one_aside_for_good(datasets: Datasets) -> None:
    add(datasets, many(100, 8))
    first = datasets.snapshot()
    held = {image.sha256 for image in first.images if image.split == "test"}
    assert {image.class_name for image in first.images if image.split == "test"} == set(CLASSES)
    assert 2 <= len(held) <= 6
    assert not {i.group for i in first.images if i.split == "test"} & {
        i.group for i in first.images if i.split == "train"
    }

    add(datasets, many(400, 8))
    with pytest.raises(ArchiveNoUsableImages, match="test-set-frozen: 2"):
        add(datasets, many(600, 1, split="test"))
    second = datasets.snapshot()
    assert {image.sha256 for image in second.images if image.split == "test"} == held
    assert len(second.images) == len(first.images) + 16


def test_a_snapshot_is_what_it_was_whatever_comes_later(datasets: Datasets, tmp_path: Path) -> None:
    add(datasets, many(100, 3, split="test"))
    add(datasets, many(200, 6))
    frozen = datasets.snapshot()
    assert datasets.snapshot() == frozen
    assert datasets.images_since_snapshot() == 0
    add(datasets, many(300, 2))
    learnt = next(image.sha256 for image in frozen.images if image.split == "train")
    datasets.delete(datasets.image_ids([learnt])[learnt])

    assert datasets.images_since_snapshot() == 4
    assert datasets.find_snapshot(frozen.digest) == frozen
    manifest = datasets.materialise(frozen.digest, tmp_path / "run")
    assert manifest.digest == frozen.digest
    assert {record.source for record in manifest.records} == {"import"}
    assert manifest.class_counts() == {"test": dict.fromkeys(CLASSES, 3), "train": dict.fromkeys(CLASSES, 6)}
    sent = {hashlib.sha256(file.data).hexdigest(): file.data for file in (*many(100, 3), *many(200, 6))}
    for record in manifest.records:
        kept = decode(manifest.path_of(record).read_bytes()).pixels
        assert np.array_equal(kept, decode(sent[record.sha256]).pixels)
    assert datasets.materialise(frozen.digest, tmp_path / "run") == manifest
    assert datasets.snapshot().digest != frozen.digest
    with pytest.raises(SnapshotNotFound):
        datasets.find_snapshot("0" * 64)


@pytest.mark.parametrize("n_changes", [0, 1, 3])
def test_others_write_while_a_snapshot_is_read_and_none_has_what_is_gone(
    datasets: Datasets, monkeypatch: pytest.MonkeyPatch, n_changes: int
) -> None:
    add(datasets, many(100, 3, split="test"))
    add(datasets, many(200, 9))
    learnt = datasets.page(ImageFilter(split="train"))
    deleted: list[str] = []
    read = labelled_images.accepted

    def read_and_delete(connection: Connection) -> list[StoredImage]:
        images = read(connection)
        if len(deleted) < n_changes:
            image = learnt[len(deleted)]
            datasets.delete(str(image.id))
            deleted.append(image.sha256)
        return images

    monkeypatch.setattr(labelled_images, "accepted", read_and_delete)
    frozen = datasets.snapshot()
    assert len(deleted) == n_changes
    assert len(frozen.images) == 24 - len(deleted)
    assert not {image.sha256 for image in frozen.images} & set(deleted)
    assert datasets.find_snapshot(frozen.digest) == frozen


def test_a_snapshot_is_laid_out_whole_or_not_at_all(datasets: Datasets, tmp_path: Path) -> None:
    add(datasets, many(100, 3, split="test"))
    add(datasets, many(200, 6))
    frozen = datasets.snapshot()
    lost = frozen.images[-1].kept_sha256
    (tmp_path / "blobs" / "labelled" / lost[:2] / lost).unlink()

    with pytest.raises(BlobMissing):
        datasets.materialise(frozen.digest, tmp_path / "run")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("run")) == []


def test_bytes_that_nothing_has_are_swept_once_they_are_old(datasets: Datasets, tmp_path: Path) -> None:
    add(datasets, many(100, 3, split="test"))
    add(datasets, many(200, 6))
    frozen = datasets.snapshot()
    items = datasets.add(many(300, 1), source="upload").items
    kept, gone = (datasets.image(item["image_id"]) for item in items)
    datasets.delete(str(gone.id))
    in_snapshot = next(
        image for image in datasets.page(ImageFilter(split="train", status="accepted"), limit=50) if image.id != kept.id
    )
    datasets.delete(str(in_snapshot.id))
    labelled = open_blobs(folder_url(tmp_path / "blobs"), LABELLED)
    orphan = labelled.put(b"left by an upload that was killed")

    assert datasets.sweep() == 0
    assert datasets.sweep(datetime.now(UTC) + timedelta(hours=2)) == 0  # set aside for a day
    assert datasets.sweep(datetime.now(UTC) + timedelta(hours=25)) == 0
    assert datasets.sweep(datetime.now(UTC) + timedelta(hours=27)) == 2
    left = {entry.digest for entry in labelled.entries()}
    assert not (left | {one.digest for one in labelled.aside()}) & {orphan, gone.kept_sha256}
    assert {kept.kept_sha256, in_snapshot.kept_sha256} <= left
    datasets.materialise(frozen.digest, tmp_path / "run")


@pytest.mark.parametrize(
    "files",
    [
        [],
        incoming(*((drawn_png(n), "normal") for n in range(12))),
        many(1, 1),
        incoming(*((drawn_png(n), CLASSES[n % 2]) for n in range(20)), group="one-patient"),
    ],
    ids=["none", "one class", "two images", "one patient"],
)
def test_too_few_images_are_said_to_be(datasets: Datasets, files: list[IncomingFile]) -> None:
    if files:
        add(datasets, files)
    with pytest.raises(TrainingDataInsufficient):
        datasets.snapshot()
    assert all(split == "train" for _, split in counted(datasets))  # nothing was set aside for it


def test_a_new_class_with_too_few_images_waits_and_stops_nothing(datasets: Datasets) -> None:
    add(datasets, many(100, 3, split="test"))
    add(datasets, many(200, 6))
    add(datasets, incoming((drawn_png(1), "hamartoma")))
    assert datasets.snapshot().class_names == CLASSES
    assert "class-too-small" in {finding.code for finding in datasets.overview().findings}
    add(datasets, incoming(*((drawn_png(seed), "hamartoma") for seed in range(2, 6))))
    assert datasets.snapshot().class_names == ("adenocarcinoma", "hamartoma", "normal")
    assert "class-too-small" not in {finding.code for finding in datasets.overview().findings}


def test_a_class_of_two_patients_does_not_halve_the_set(datasets: Datasets) -> None:
    add(datasets, many(100, 10))
    for patient in ("p1", "p2"):
        seeds = range(1, 5) if patient == "p1" else range(5, 9)
        add(datasets, incoming(*((drawn_png(seed), "hamartoma") for seed in seeds), group=patient))

    frozen = datasets.snapshot()
    held = [image for image in frozen.images if image.split == "test"]
    assert len(held) == 4
    assert {image.class_name for image in held} == set(CLASSES)
    assert "hamartoma" in frozen.class_names  # which is learnt, and told to be untested
    assert "class-not-tested" in {finding.code for finding in datasets.overview().findings}


def test_a_tested_class_that_has_too_few_images_is_named(datasets: Datasets) -> None:
    add(datasets, many(100, 2, split="test"))
    add(datasets, many(200, 5))
    add(datasets, incoming((drawn_png(1), "hamartoma"), split="test"))
    add(datasets, incoming((drawn_png(2), "hamartoma")))
    with pytest.raises(TrainingDataInsufficient, match="class hamartoma is tested and has 1 images"):
        datasets.snapshot()


def test_every_batch_is_found_again_and_stands_in_the_audit_log(datasets: Datasets, database_url: str) -> None:
    batch = datasets.add(many(1, 2), source="upload", takes_new_classes=True, actor="3f9a02c1")
    database = Database(database_url)
    (event,) = list(export(database))
    database.close()

    assert datasets.batch(str(batch.id)) == batch
    assert (event.kind, event.actor, event.subject) == ("upload", "3f9a02c1", str(batch.id))
    assert event.details == {"accepted": "4", "quarantined": "0", "refused": "0", "source": "upload"}
    json.dumps(batch.items)
    for wrong in ("nonsense", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(UploadBatchNotFound):
            datasets.batch(wrong)
