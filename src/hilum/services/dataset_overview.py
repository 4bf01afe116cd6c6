"""What the labelled images are as a whole, what to mend in them, and what to label next. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hilum.services.label_next import Suggestion, UnlabelledPrediction, suggest
from hilum.services.snapshots import too_small_classes
from hilum.storage import dataset_snapshots, labelled_images, predictions
from hilum.storage.database import Database
from hilum.storage.labelled_images import ClassCount, StoredImage

_LOOKED_AT, _SUGGESTED = 1000, 12
_FEW_GROUPS, _MOST_UNEVEN = 10, 5.0


@dataclass(frozen=True)
class DatasetFinding:
    """Something to know or mend; `code` is stable, docs/datasets.md explains each."""

    code: str
    severity: Literal["error", "warning", "note"]
    sentence: str


@dataclass(frozen=True)
class Overview:
    """The labelled images as a whole.

    Attributes:
        classes: of what is accepted, sorted.
        distribution: accepted images by class, split and source.
        quarantined: images that wait for a person.
        since_last_run: images accepted since a training run last froze them.
        findings: the gravest first.
        label_next: predictions to confirm next, the most telling first.
    """

    classes: tuple[str, ...]
    distribution: Sequence[ClassCount]
    quarantined: int
    since_last_run: int
    findings: tuple[DatasetFinding, ...]
    label_next: Sequence[Suggestion]


def overview(database: Database) -> Overview:
    """Looks at the labelled images as a whole.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    with database.reading() as connection:
        counts = labelled_images.counts(connection)
        groups = labelled_images.group_counts(connection, "train")
        waiting = labelled_images.reason_counts(connection, "quarantined")
        noted = labelled_images.reason_counts(connection, "accepted")
        quarantined = labelled_images.count(connection, status="quarantined")
        images = labelled_images.accepted(connection)
        newest = dataset_snapshots.newest_sequence(connection) or 0
        since = labelled_images.count(connection, status="accepted", after=newest)
        unlabelled = predictions.unlabelled(connection, limit=_LOOKED_AT)
        labelled = labelled_images.known_digests(connection, sorted({one.image_sha256 for one in unlabelled}))
    candidates = [
        UnlabelledPrediction(str(one.id), one.image_sha256, one.answer.get("probabilities") or {})
        for one in unlabelled
        if one.image_sha256 not in labelled
    ]
    found = (
        *_about_small_classes(images),
        *_about_classes(counts, groups),
        *_about_labels(quarantined, waiting, noted),
    )
    order = {"error": 0, "warning": 1, "note": 2}
    return Overview(
        classes=tuple(sorted({row.class_name for row in counts})),
        distribution=counts,
        quarantined=quarantined,
        since_last_run=since,
        findings=tuple(sorted(found, key=lambda finding: order[finding.severity])),
        label_next=suggest(candidates, _SUGGESTED),
    )


def _about_small_classes(images: Sequence[StoredImage]) -> Iterator[DatasetFinding]:
    for name, count in too_small_classes(images).items():
        yield DatasetFinding(
            "class-too-small", "warning", f"{name} has {count} images: too few, so that training leaves it out for now."
        )


def _about_classes(counts: Sequence[ClassCount], groups: Mapping[str, int]) -> Iterator[DatasetFinding]:
    images: dict[str, Counter[str]] = {"train": Counter(), "test": Counter()}
    for row in counts:
        images[row.split][row.class_name] += row.count
    train, test = images["train"], images["test"]
    if train and not test:
        yield DatasetFinding("no-test-set", "note", "There is no test set; the first training run sets a fifth aside.")
    for name in sorted(train):
        if groups[name] < _FEW_GROUPS:
            yield DatasetFinding(
                "few-groups", "warning", f"{name} has {train[name]} images of {groups[name]} patients or series only."
            )
        if test and not test[name]:
            yield DatasetFinding("class-not-tested", "warning", f"{name} has no test image: its recall is not known.")
    if len(train) > 1 and max(train.values()) > _MOST_UNEVEN * min(train.values()):
        (most, n_most), *_, (least, n_least) = train.most_common()
        yield DatasetFinding("imbalance", "warning", f"{most} has {n_most} images to learn from and {least} {n_least}.")


def _about_labels(quarantined: int, waiting: Counter[str], noted: Counter[str]) -> Iterator[DatasetFinding]:
    if quarantined:
        told = ", ".join(f"{code} {n}" for code, n in waiting.most_common())
        yield DatasetFinding("quarantined", "note", f"{quarantined} images wait for a person: {told}.")
    if doubted := noted["label-doubted"]:
        yield DatasetFinding("doubted-labels", "warning", f"The model doubted {doubted} labels that were accepted.")
