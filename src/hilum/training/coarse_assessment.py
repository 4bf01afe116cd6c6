"""Measures a bundle on a data set that knows less than the model: cancer or none, and labels it has no class for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hilum.dataset.labels import LabelScheme
from hilum.dataset.manifest import DatasetManifest, ImageRecord
from hilum.errors import DatasetInvalid
from hilum.evaluation import CancerFigures, Figure, evaluate, mean_figure
from hilum.inference.predictor import Prediction, Predictor

Progress = Callable[[str, float, str], None]


@dataclass(frozen=True)
class LabelAnswers:
    """How the slices of one label were answered.

    Attributes:
        label: as the data set has it.
        meaning: the classes it may be; empty where the model has no class for it.
        n: slices.
        called_cancer: share answered with a cancer class.
        mean_cancer_probability: over the slices.
        review_share: share marked `review`.
    """

    label: str
    meaning: tuple[str, ...]
    n: int
    called_cancer: Figure
    mean_cancer_probability: Figure
    review_share: Figure


@dataclass(frozen=True)
class CoarseAssessment:
    """What a bundle was measured to do where only cancer or none is known.

    Attributes:
        model_version: of the bundle.
        dataset, split: measured on.
        n: slices of which it is known whether they show cancer.
        cancer: AUROC, sensitivity and specificity on those; None where they are all the same.
        by_label: how each label's slices were answered.
    """

    model_version: str
    dataset: str
    split: str
    n: int
    cancer: CancerFigures | None
    by_label: tuple[LabelAnswers, ...]

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON has them."""
        return asdict(self)


def is_coarse(manifest: DatasetManifest, scheme: LabelScheme) -> bool:
    """Whether labels that are not ignored are no classes of the model, and the scheme knows what they say."""
    others = set(manifest.class_names) - set(scheme.class_names) - scheme.ignored
    return bool(others) and others <= set(scheme.coarse)


def assess_coarse(
    directory: Path, manifest: DatasetManifest, split: str, scheme: LabelScheme, progress: Progress
) -> CoarseAssessment:
    """Predicts every image of a split and measures cancer against none.

    Args:
        directory: the bundle.
        manifest: the data set.
        split: of it, or `all`.
        scheme: what its labels say; slices of ignored labels are answered and shown, and count for no figure.
        progress: told of each image.

    Raises:
        DatasetInvalid: the split is empty, the scheme does not know a label, or the model's classes do not tell cancer
            from none.
    """
    predictor = Predictor.load(directory, threads=0, answers_all=True)
    cancers = set(predictor.manifest.cancers_told_apart)
    records = manifest.records if split == "all" else manifest.of_split(split)
    if not records:
        raise DatasetInvalid(f"the data set has no image in its split {split!r}; --split all takes every image")
    if not cancers:
        raise DatasetInvalid(
            "the model's classes do not tell cancer from none, so that labels without a subtype say nothing of it; "
            "leave their images out with --ignore LABEL"
        )
    meanings = {label: _meaning(scheme, label) for label in sorted({record.class_name for record in records})}
    predictions = []
    for done, record in enumerate(records, start=1):
        predictions.append(predictor.predict(manifest.path_of(record).read_bytes(), name=record.path))
        progress("evaluate", done / len(records), f"{done}/{len(records)} slices")
    by_label = tuple(
        _answers(label, meaning, [p for p, r in zip(predictions, records, strict=True) if r.class_name == label])
        for label, meaning in meanings.items()
    )
    n, cancer = _cancer_figures(records, predictions, meanings, cancers)
    return CoarseAssessment(predictor.manifest.model_version, manifest.source, split, n, cancer, by_label)


def _meaning(scheme: LabelScheme, label: str) -> tuple[str, ...]:
    return tuple(scheme.class_names[index] for index in scheme.allowed(label))


def _answers(label: str, meaning: tuple[str, ...], predictions: list[Prediction]) -> LabelAnswers:
    probabilities = [prediction.cancer_probability or 0.0 for prediction in predictions]
    return LabelAnswers(
        label,
        meaning,
        len(predictions),
        mean_figure([probability >= 0.5 for probability in probabilities]),
        mean_figure(probabilities),
        mean_figure([prediction.decision == "review" for prediction in predictions]),
    )


def _cancer_figures(
    records: tuple[ImageRecord, ...],
    predictions: list[Prediction],
    meanings: dict[str, tuple[str, ...]],
    cancers: set[str],
) -> tuple[int, CancerFigures | None]:
    """A slice counts where all classes it may have are cancers, or none is."""
    known, labels = [], []
    for record, prediction in zip(records, predictions, strict=True):
        meaning = set(meanings[record.class_name])
        if meaning and (meaning <= cancers or not meaning & cancers):
            known.append((prediction.cancer_probability or 0.0, record.group))
            labels.append(int(meaning <= cancers))
    if len(set(labels)) < 2:
        return len(labels), None
    cancer = np.array([probability for probability, _ in known])
    measured = evaluate(
        np.column_stack([1 - cancer, cancer]),
        labels,
        ("no cancer", "cancer"),
        cancer_class_names=("cancer",),
        groups=[group for _, group in known],
    )
    return len(labels), measured.cancer
