"""Measures a bundle through the very path that serves it: file bytes in, calibrated probabilities out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.manifest import DatasetManifest, ImageRecord
from hilum.dataset.splits import copies_of
from hilum.errors import DatasetInvalid
from hilum.evaluation import Evaluation, Figure, evaluate
from hilum.inference.bundle import HISTORY, open_bundle
from hilum.inference.manifest import Manifest
from hilum.inference.predictor import Predictor

Progress = Callable[[str, float, str], None]


@dataclass(frozen=True)
class Assessment:
    """What a bundle was measured to do on a split.

    Attributes:
        model: the bundle's manifest.
        dataset: name of the data set; `dataset_digest` says which state of it.
        split: which of its splits.
        overall: on every image of the split.
        without_copies: on those with no copy, of any crop, among the images trained on; None where there is none.
        n_trained_on: how many of the split's images are, byte for byte, among those the model was trained on.
        review_share: share of answers marked `review`.
        confident_accuracy: accuracy of the others, the confident ones.
        training_history: by epoch.
        class_distribution: images by split and class.
    """

    model: Manifest
    dataset: str
    dataset_digest: str
    split: str
    overall: Evaluation
    without_copies: Evaluation | None
    n_trained_on: int
    review_share: float
    confident_accuracy: float
    training_history: list[dict[str, float]]
    class_distribution: dict[str, dict[str, int]]

    def to_dict(self) -> dict[str, Any]:
        """`metrics.json`: the headline figures first, then everything behind them."""
        overall = self.overall.to_dict()
        return {
            "model_version": self.model.model_version,
            "dataset": self.dataset,
            "dataset_digest": self.dataset_digest,
            "split": self.split,
            "n": self.overall.n,
            "accuracy": overall["accuracy"],
            "precision": overall["macro_precision"],
            "recall": overall["macro_recall"],
            "f1": overall["macro_f1"],
            **overall,
            "without_copies": self.without_copies.to_dict() if self.without_copies else None,
            "n_trained_on": self.n_trained_on,
            "review_share": self.review_share,
            "confident_accuracy": self.confident_accuracy,
            "training_history": self.training_history,
            "class_distribution": self.class_distribution,
        }

    def headline(self) -> list[tuple[str, Figure]]:
        """The figures a person asks for first."""
        overall = self.overall
        named = [
            ("accuracy", overall.accuracy),
            ("macro precision", overall.macro_precision),
            ("macro recall", overall.macro_recall),
            ("macro F1", overall.macro_f1),
            ("macro AUROC", overall.macro_auroc),
            ("expected calibration error", overall.expected_calibration_error),
        ]
        if self.without_copies:
            named.append(("accuracy without copies", self.without_copies.accuracy))
            named.append(("macro F1 without copies", self.without_copies.macro_f1))
        return named


def assess(directory: Path, manifest: DatasetManifest, split: str, progress: Progress) -> Assessment:
    """Predicts every image of a split and measures the answers.

    Args:
        directory: the bundle.
        manifest: the data set.
        split: `train`, `valid`, `test`, or `all` for every image.
        progress: told of each image.

    Raises:
        BundleInvalid: the bundle is damaged.
        DatasetInvalid: the split is empty or has classes the model does not know.
    """
    predictor = Predictor.load(directory, threads=0)
    records = manifest.records if split == "all" else manifest.of_split(split)
    _require_known(records, predictor.manifest, split)
    probabilities, is_confident = _predict(predictor, manifest, records, progress)
    classes = predictor.manifest.class_names
    labels = np.array([classes.index(record.class_name) for record in records])
    is_right = probabilities.argmax(1) == labels
    cancers = predictor.manifest.cancer_class_names
    fresh = _without_copies(manifest, records, split)
    history = _training_record(directory)
    trained_on = set(history.get("trained_on_sha256", ()))
    return Assessment(
        model=predictor.manifest,
        dataset=manifest.source,
        dataset_digest=manifest.digest,
        split=split,
        overall=evaluate(probabilities, labels, classes, cancer_class_names=cancers),
        without_copies=None
        if fresh is None
        else evaluate(probabilities[fresh], labels[fresh], classes, cancer_class_names=cancers),
        n_trained_on=sum(record.sha256 in trained_on for record in records),
        review_share=float(1 - is_confident.mean()),
        confident_accuracy=float(is_right[is_confident].mean()) if is_confident.any() else 0.0,
        training_history=history.get("training_history", []),
        class_distribution=manifest.class_counts(),
    )


def _require_known(records: tuple[ImageRecord, ...], model: Manifest, split: str) -> None:
    if not records:
        raise DatasetInvalid(f"the data set has no image in its split {split!r}; --split all takes every image")
    counts = Counter(record.class_name for record in records)
    if unknown := sorted(set(counts) - set(model.class_names)):
        raise DatasetInvalid(
            f"the model does not know the classes {', '.join(unknown)}; it knows {', '.join(model.class_names)}"
        )


def _predict(
    predictor: Predictor, manifest: DatasetManifest, records: tuple[ImageRecord, ...], progress: Progress
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    rows, is_confident = [], []
    for done, record in enumerate(records, start=1):
        prediction = predictor.predict(manifest.path_of(record).read_bytes(), name=record.path)
        rows.append(list(prediction.probabilities.values()))
        is_confident.append(prediction.decision == "confident")
        progress("evaluate", done / len(records), f"{done}/{len(records)} slices")
    return np.array(rows), np.array(is_confident)


def _without_copies(manifest: DatasetManifest, records: tuple[ImageRecord, ...], split: str) -> NDArray[np.intp] | None:
    if split not in {"test", "valid"}:
        return None
    trained_on = ("train", "valid") if split == "test" else ("train",)
    copies = copies_of(manifest, split, trained_on)
    fresh = np.setdiff1d(np.arange(len(records)), copies)
    return fresh if 0 < fresh.size < len(records) else None


def _training_record(directory: Path) -> dict[str, Any]:
    bundle = open_bundle(directory)
    if HISTORY not in bundle.manifest.files:
        return {}
    record: dict[str, Any] = json.loads((directory / HISTORY).read_bytes())
    return record
