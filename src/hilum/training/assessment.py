"""Measures a bundle through the very path that serves it: file bytes in, calibrated probabilities out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.manifest import DatasetManifest, ImageRecord
from hilum.dataset.splits import copies_of
from hilum.errors import DatasetInvalid
from hilum.evaluation import Evaluation, Figure, evaluate, mean_figure
from hilum.imaging.decode import CtSlice
from hilum.inference.bundle import HISTORY, open_bundle
from hilum.inference.manifest import Manifest
from hilum.inference.measured_answers import MeasuredAnswer, MeasuredAnswers
from hilum.inference.predictor import Prediction, Predictor
from hilum.training.probes.cases import Cases, in_parallel, sampled
from hilum.training.probes.findings import PROBED, Findings, probe
from hilum.training.split_rows import SplitRow, SplitRows

Progress = Callable[[str, float, str], None]

_EVERY_IMAGE = "every image of it: it may hold copies of slices trained on, and the same patients"
_WITHOUT_COPIES = "without the slices that have a copy or near copy, of any crop, among those trained on"
_NO_SLICE = CtSlice(np.zeros((1, 1), np.uint8), "", "")
"""Stands for pixels that are not kept, so that a large split does not fill the memory."""


@dataclass(frozen=True)
class Conformal:
    """How the prediction sets did.

    Attributes:
        target: the coverage they were made for.
        coverage: share of slices whose set holds the true class.
        mean_size: classes in a set.
        single_share: share of sets with one class.
    """

    target: float
    coverage: Figure
    mean_size: Figure
    single_share: Figure


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
        confident_accuracy: accuracy of the others, the confident ones; None where there is none.
        training_history: by epoch.
        class_distribution: images by split and class.
        conformal: how often the prediction sets held the truth; None where the bundle makes no sets.
        splits: what other splits and data sets said of the recipe, as the bundle's training wrote it down.
        findings: what the probes found; None where they were left out.
        answers: of each image.
    """

    model: Manifest
    dataset: str
    dataset_digest: str
    split: str
    overall: Evaluation
    without_copies: Evaluation | None
    n_trained_on: int
    review_share: float
    confident_accuracy: float | None
    training_history: list[dict[str, float]]
    class_distribution: dict[str, dict[str, int]]
    conformal: Conformal | None
    splits: SplitRows
    findings: Findings | None
    answers: MeasuredAnswers

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
            "conformal": asdict(self.conformal) if self.conformal else None,
            "split_truth": [asdict(row) for row in self.split_truth()],
            "external": [asdict(row) for row in self.splits.external],
            **(self.findings.to_dict() if self.findings else dict.fromkeys(PROBED)),
        }

    def split_truth(self) -> tuple[SplitRow, ...]:
        """What was measured here, then what the training measured under other splits."""
        name = "all images" if self.split == "all" else f"{self.split} split"
        rows = [SplitRow(name, self.overall.n, self.overall.accuracy, self.overall.macro_f1, _EVERY_IMAGE)]
        if fresh := self.without_copies:
            without = f"{name} without copies"
            rows.append(SplitRow(without, fresh.n, fresh.accuracy, fresh.macro_f1, _WITHOUT_COPIES))
        return (*rows, *self.splits.split_truth)

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
            ("log loss", overall.log_loss),
        ]
        if self.without_copies:
            named.append(("accuracy without copies", self.without_copies.accuracy))
            named.append(("macro F1 without copies", self.without_copies.macro_f1))
        return named


def assess(
    directory: Path,
    manifest: DatasetManifest,
    split: str,
    progress: Progress,
    *,
    quick: bool = False,
    is_free_of_copies: bool = False,
) -> Assessment:
    """Predicts every image of a split, measures the answers, and probes what they hang on.

    Args:
        directory: the bundle.
        manifest: the data set.
        split: `train`, `valid`, `test`, or `all` for every image.
        progress: told of each image and of the probes.
        quick: leave the probes out.
        is_free_of_copies: no image of the split is known to have a copy among the others, so none is looked for.

    Raises:
        BundleInvalid: the bundle is damaged.
        DatasetInvalid: the split is empty or has classes the model does not know.
    """
    # One thread: the cores are used by working on several slices. What the gate refuses has a label too.
    predictor = Predictor.load(directory, threads=1, answers_all=True)
    model = predictor.manifest
    records = manifest.records if split == "all" else manifest.of_split(split)
    _require_known(records, model, split)
    answers = _predict(predictor, manifest, records, progress)
    labels = np.array([model.class_names.index(record.class_name) for record in records])
    is_right = answers.probabilities.argmax(1) == labels
    fresh = None if is_free_of_copies else _without_copies(manifest, records, split)
    history = _training_record(directory)
    trained_on = set(history.get("trained_on_sha256", ()))

    def measure(rows: NDArray[np.intp]) -> Evaluation:
        return evaluate(
            answers.probabilities[rows], labels[rows], model.class_names, cancer_class_names=model.cancer_class_names
        )

    return Assessment(
        model=model,
        dataset=manifest.source,
        dataset_digest=manifest.digest,
        split=split,
        overall=measure(np.arange(len(records))),
        without_copies=None if fresh is None else measure(fresh),
        n_trained_on=sum(record.sha256 in trained_on for record in records),
        review_share=float(1 - answers.is_confident.mean()),
        confident_accuracy=float(is_right[answers.is_confident].mean()) if answers.is_confident.any() else None,
        training_history=history.get("training_history", []),
        class_distribution=manifest.class_counts(),
        conformal=_conformal(model, answers, labels),
        splits=SplitRows.read(history),
        findings=None if quick else _probed(predictor, directory, answers, labels, progress),
        answers=MeasuredAnswers(
            split=split,
            dataset_digest=manifest.digest,
            class_names=model.class_names,
            answers=_measured(records, model, answers.probabilities),
        ),
    )


def _measured(
    records: tuple[ImageRecord, ...], model: Manifest, probabilities: NDArray[np.float64]
) -> tuple[MeasuredAnswer, ...]:
    return tuple(
        MeasuredAnswer(
            sha256=record.sha256,
            true_class=record.class_name,
            predicted_class=model.class_names[row.argmax()],
            probabilities=tuple(round(float(value), 6) for value in row),
        )
        for record, row in zip(records, probabilities, strict=True)
    )


def _require_known(records: tuple[ImageRecord, ...], model: Manifest, split: str) -> None:
    if not records:
        raise DatasetInvalid(f"the data set has no image in its split {split!r}; --split all takes every image")
    counts = Counter(record.class_name for record in records)
    if unknown := sorted(set(counts) - set(model.class_names)):
        raise DatasetInvalid(
            f"the model does not know the classes {', '.join(unknown)}; it knows {', '.join(model.class_names)}. "
            f"Leave their images out with {' '.join(f'--ignore {name}' for name in unknown)}"
        )


@dataclass(frozen=True)
class _Answers:
    """What a split's images were answered: (N, C), (N,), (N,), and the probed ones of their slices."""

    probabilities: NDArray[np.float64]
    is_confident: NDArray[np.bool_]
    sets: list[tuple[str, ...]]
    probed: NDArray[np.intp]
    slices: list[CtSlice]


def _predict(
    predictor: Predictor, manifest: DatasetManifest, records: tuple[ImageRecord, ...], progress: Progress
) -> _Answers:
    probed = sampled(len(records), seed=0)
    kept = set(probed.tolist())
    total = len(records)

    def predict(index: int) -> tuple[Prediction, CtSlice | None]:
        record = records[index]
        prediction = predictor.predict(manifest.path_of(record).read_bytes(), name=record.path)
        stripped = replace(prediction, ct_slice=_NO_SLICE)
        return stripped, prediction.ct_slice if index in kept else None

    found = in_parallel(
        predict, range(total), lambda share: progress("evaluate", share, f"{round(share * total)}/{total} slices")
    )
    predictions = [prediction for prediction, _ in found]
    return _Answers(
        np.array([list(prediction.probabilities.values()) for prediction in predictions]),
        np.array([prediction.decision == "confident" for prediction in predictions]),
        [prediction.prediction_set for prediction in predictions],
        probed,
        [ct_slice for _, ct_slice in found if ct_slice],
    )


def _conformal(model: Manifest, answers: _Answers, labels: NDArray[np.intp]) -> Conformal | None:
    if model.conformal is None:
        return None
    covered = [model.class_names[label] in chosen for label, chosen in zip(labels, answers.sets, strict=True)]
    return Conformal(
        target=model.conformal.coverage,
        coverage=mean_figure(covered),
        mean_size=mean_figure([len(chosen) for chosen in answers.sets], within=(1, len(model.class_names))),
        single_share=mean_figure([len(chosen) == 1 for chosen in answers.sets]),
    )


def _probed(
    predictor: Predictor, directory: Path, answers: _Answers, labels: NDArray[np.intp], progress: Progress
) -> Findings:
    slices = answers.slices
    cases = Cases.of(
        predictor, [one.pixels for one in slices], [one.file_format for one in slices], labels[answers.probed]
    )
    graph = directory / predictor.manifest.engine_files[-1]  # the fp32 one
    return probe(cases, graph, progress)


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
