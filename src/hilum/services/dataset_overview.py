"""What the labelled images are as a whole, what to mend in them, and what to label next. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hilum.services.label_next import Suggestion, UnlabelledPrediction, suggest
from hilum.services.snapshots import too_small_classes
from hilum.storage import dataset_snapshots, labelled_counts, labelled_images, predictions
from hilum.storage.database import Database
from hilum.storage.labelled_counts import ClassCount
from hilum.storage.labelled_images import StoredImage

_LOOKED_AT, _SUGGESTED, _EXAMPLES = 1000, 12, 8
_FEW_GROUPS, _MOST_UNEVEN = 10, 5.0


@dataclass(frozen=True)
class FindingExample:
    """An image that shows a finding, beside another where it takes two."""

    image_id: str
    other_image_id: str | None
    class_name: str
    detail: str


@dataclass(frozen=True)
class DatasetFinding:
    """Something to know or mend; `code` is stable, docs/datasets.md explains each."""

    code: str
    severity: Literal["error", "warning", "note"]
    sentence: str
    examples: tuple[FindingExample, ...] = ()


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
        counts = labelled_counts.counts(connection)
        groups = labelled_counts.group_counts(connection, "train")
        waiting = labelled_counts.reason_counts(connection, "quarantined")
        noted = labelled_counts.reason_counts(connection, "accepted")
        quarantined = labelled_counts.count(connection, status="quarantined")
        doubted = [
            *labelled_images.with_reasons(connection, "quarantined", limit=_LOOKED_AT),
            *labelled_images.with_reasons(connection, "accepted", limit=_LOOKED_AT),
        ]
        newest = dataset_snapshots.newest_sequence(connection) or 0
        since = labelled_counts.count(connection, status="accepted", after=newest)
        unlabelled = predictions.unlabelled(connection, limit=_LOOKED_AT)
        labelled = labelled_images.known_digests(connection, sorted({one.image_sha256 for one in unlabelled}))
    candidates = [
        UnlabelledPrediction(str(one.id), one.image_sha256, one.answer.get("probabilities") or {})
        for one in unlabelled
        if one.image_sha256 not in labelled
    ]
    small = too_small_classes(counts, groups)
    found = (
        *_about_small_classes(small),
        *_about_classes(counts, {name: n for name, n in groups.items() if name not in small}),
        *_about_labels(quarantined, waiting, noted, Examples(doubted)),
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


def _about_small_classes(small: Mapping[str, int]) -> Iterator[DatasetFinding]:
    for name, count in small.items():
        yield DatasetFinding(
            "class-too-small",
            "warning",
            f"{name} has {_images(count)}: too few, so that training leaves it out for now.",
        )


def _about_classes(counts: Sequence[ClassCount], groups: Mapping[str, int]) -> Iterator[DatasetFinding]:
    images: dict[str, Counter[str]] = {"train": Counter(), "test": Counter()}
    for row in counts:
        images[row.split][row.class_name] += row.count
    train, test = images["train"], images["test"]
    if train and not test:
        yield DatasetFinding("no-test-set", "note", "There is no test set; the first training run sets a fifth aside.")
    for name in sorted(train):
        if name in groups and groups[name] < _FEW_GROUPS:
            words = f"{name} has {_images(train[name])} of only {groups[name]} patients or series."
            yield DatasetFinding("few-groups", "warning", words)
        if test and not test[name]:
            yield DatasetFinding("class-not-tested", "warning", f"{name} has no test image: its recall is not known.")
    if len(train) > 1 and max(train.values()) > _MOST_UNEVEN * min(train.values()):
        (most, n_most), *_, (least, n_least) = train.most_common()
        yield DatasetFinding(
            "imbalance", "warning", f"{most} has {_images(n_most)} to learn from and {least} only {n_least}."
        )


class Examples:
    """The newest images that show a finding."""

    def __init__(self, images: Sequence[StoredImage]) -> None:
        """Takes images with reasons."""
        self._images = images

    def of(self, code: str, status: str) -> tuple[FindingExample, ...]:
        """Some that have a reason, each pair once."""
        found: dict[frozenset[str], FindingExample] = {}
        for image in self._images:
            for reason in image.reasons:
                if reason["code"] == code and image.status == status and image.kept_sha256 is not None:
                    other = reason.get("image_id")
                    example = FindingExample(str(image.id), other, image.class_name, reason["detail"])
                    found.setdefault(frozenset(filter(None, (example.image_id, other))), example)
        return tuple(list(found.values())[:_EXAMPLES])


_WAITING = {
    "label-conflict": "under two classes",
    "label-unknown": "of an unknown class",
    "label-doubted": "with a label that the model doubts",
    "not-a-chest-ct": "that may be no chest CT",
    "holdout-group": "of a patient in the test set",
    "deleted-before": "deleted before",
    "burned-in-annotation": "with text in the picture",
}
"""Why images wait, by the code of their reason; other codes are the decoder's."""


def _whys(waiting: Counter[str]) -> Counter[str]:
    """How many wait by why, in words."""
    whys: Counter[str] = Counter()
    for code, n in waiting.items():
        whys[_WAITING.get(code, "that cannot be read")] += n
    return whys


def _about_labels(
    quarantined: int, waiting: Counter[str], noted: Counter[str], examples: Examples
) -> Iterator[DatasetFinding]:
    if quarantined:
        told = ", ".join(f"{n} {why}" for why, n in _whys(waiting).most_common())
        verb = "waits" if quarantined == 1 else "wait"
        yield DatasetFinding("quarantined", "note", f"{_images(quarantined)} {verb} for a person: {told}.")
    if contradicted := waiting["label-conflict"]:
        words = f"{_images(contradicted)} came under one class while the same picture or slice came under another."
        yield DatasetFinding("label-conflicts", "warning", words, examples.of("label-conflict", "quarantined"))
    if doubted := noted["label-doubted"]:
        told = "1 label that was" if doubted == 1 else f"{doubted} labels that were"
        words = f"The model doubted {told} accepted."
        yield DatasetFinding("doubted-labels", "warning", words, examples.of("label-doubted", "accepted"))
    if near := noted["near-copy"]:
        words = f"Nearly the same picture as another: {_images(near)}. Each pair stays on one side of the split."
        yield DatasetFinding("near-copies", "note", words, examples.of("near-copy", "accepted"))
    if cropped := noted["same-slice"]:
        words = f"The same slice under another crop: {_images(cropped)}. Each pair stays on one side of the split."
        yield DatasetFinding("other-crops", "note", words, examples.of("same-slice", "accepted"))


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
