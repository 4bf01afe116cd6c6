"""From a data set to a bundle: read, fold, fit, calibrate, refit, export, quantise, write. Reads top to bottom."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from numpy.typing import NDArray

from hilum.dataset.manifest import DatasetManifest, ImageRecord
from hilum.dataset.splits import grouped_folds
from hilum.errors import TrainingFailed
from hilum.imaging.preprocess import Preprocessing
from hilum.inference.bundle import MANIFEST
from hilum.inference.calibration import calibrated_probabilities, fit_temperature
from hilum.training.architectures import build_classifier
from hilum.training.head import fit_head, take_features
from hilum.training.packing import Trained, write_bundle
from hilum.training.slices import read_slices
from hilum.training.trainer import EpochHook, FitSettings, TrainingData, fit

Progress = Callable[[str, float, str], None]
"""Called with the stage, its share done (0..1) and a few words."""

CONFIDENT_ACCURACY = 0.97
"""The operating point: the lowest confidence above which held-out slices are right at least this often."""


@dataclass(frozen=True)
class TrainingSettings:
    """What to train.

    Attributes:
        architecture: see `build_classifier`.
        mode: `head` learns the linear head on frozen features, `full` every weight.
        side: input side in pixels.
        epochs: at the most; None takes the mode's default.
        folds: one of so many grouped folds is held out for early stopping, calibration and the operating point; where
            a class has fewer groups, as many as it has.
        refit: afterwards learn from all slices, for the number of epochs found best.
        seed: of the folds, the initial head, shuffling and augmentation.
        weights: backbone weights to start from; None takes ImageNet's.
    """

    architecture: str = "efficientnet-lite0"
    mode: Literal["head", "full"] = "full"
    side: int = 256
    epochs: int | None = None
    folds: int = 6
    refit: bool = True
    seed: int = 0
    weights: Path | None = None

    def fit_settings(self) -> FitSettings:
        """The mode's schedule."""
        if self.mode == "full":
            return FitSettings(epochs=self.epochs or 24, seed=self.seed)
        return FitSettings(
            epochs=self.epochs or 60, seed=self.seed, learning_rate=2e-3, weight_decay=5e-3, label_smoothing=0.0
        )


@dataclass(frozen=True)
class _Job:
    """One fit: the data, which of them are learnt and which held out, and how."""

    data: TrainingData
    learn: NDArray[np.int64]
    hold: NDArray[np.int64]
    settings: TrainingSettings
    run: Path
    progress: Progress

    def build(self) -> keras.Model:
        """The classifier before the fit."""
        n_classes = int(self.data.labels.max()) + 1
        return build_classifier(
            self.settings.architecture, self.settings.side, n_classes, weights=self.settings.weights
        )


@dataclass(frozen=True)
class _HeldOut:
    """What the held-out fold taught."""

    best_epoch: int
    history: list[dict[str, float]]
    logits: NDArray[np.float32]
    labels: NDArray[np.int64]


def train(manifest: DatasetManifest, out: Path, settings: TrainingSettings, progress: Progress) -> Path:
    """Trains a model on every split but `test` and writes its bundle to `out`.

    Work in progress lies in `<out>.run`; the same call after a kill goes on from the last epoch.

    Args:
        manifest: the data, with groups.
        out: the bundle's folder, made or replaced.
        settings: what to train.
        progress: told of each step.

    Returns:
        `out`.

    Raises:
        TrainingFailed: the data do not suffice, or `out` is there and is no bundle.
    """
    _require_replaceable(out)
    records = manifest.trainable_records(splits=("train", "valid", ""))
    n_folds = min(settings.folds, _require_enough(manifest, records))
    run = _open_run(out, manifest, settings)
    keras.utils.set_random_seed(settings.seed)

    preprocessing = Preprocessing(side=settings.side)
    data = read_slices(
        manifest, records, preprocessing, on_slice=lambda done, of: progress("read", done / of, f"{done}/{of} slices")
    )
    groups = [record.group for record in records]
    learn, hold = grouped_folds(data.labels, groups, n_folds, settings.seed)[0]

    fitting = _fit_head_mode if settings.mode == "head" else _fit_full_mode
    classifier, held_out = fitting(_Job(data, learn, hold, settings, run, progress))

    temperature = fit_temperature(held_out.logits, held_out.labels)
    probabilities = calibrated_probabilities(held_out.logits, temperature)
    trained = Trained(
        classifier=classifier,
        architecture=settings.architecture,
        preprocessing=preprocessing,
        class_names=manifest.class_names,
        temperature=temperature,
        confident_above=operating_point(probabilities, held_out.labels),
        dataset_digest=manifest.digest,
        history=held_out.history,
        class_counts=manifest.class_counts(),
        trained_on=[record.sha256 for record in records],
        settings={
            **{name: str(value) if isinstance(value, Path) else value for name, value in asdict(settings).items()},
            "best_epoch": held_out.best_epoch,
            "slices": len(records),
            "held_out_slices": len(hold),
            "held_out_accuracy": float((probabilities.argmax(1) == held_out.labels).mean()),
        },
    )
    progress("pack", 0.0, "exporting and quantising")
    write_bundle(trained, data.tensors, hold, out)
    progress("pack", 1.0, "done")
    return out


def operating_point(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The lowest top probability above which at least `CONFIDENT_ACCURACY` of held-out slices are right.

    Args:
        probabilities: (N, C) calibrated, of held-out slices.
        labels: (N,).

    Returns:
        A threshold in [0.5, 0.99].
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    order = np.argsort(-confidence)
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    is_last_of_equals = np.append(np.diff(confidence[order]) != 0, True)
    enough = np.flatnonzero((accuracy >= CONFIDENT_ACCURACY) & is_last_of_equals)
    threshold = confidence[order][enough[-1]] if enough.size else 0.99
    return float(np.clip(threshold, 0.5, 0.99))


def _fit_full_mode(job: _Job) -> tuple[keras.Model, _HeldOut]:
    def report(stage: str) -> EpochHook:
        return lambda epoch, of, row: job.progress(stage, epoch / of, _words(epoch, of, row))

    data, hold, fit_settings = job.data, job.hold, job.settings.fit_settings()
    classifier = job.build()
    start = classifier.get_weights()
    history = fit(
        classifier, data.subset(job.learn), data.subset(hold), fit_settings, job.run / "fit", on_epoch=report("fit")
    )
    best_epoch = _best_epoch(history)
    logits = classifier.predict(data.tensors[hold], verbose=0)
    if job.settings.refit:
        classifier.set_weights(start)
        again = replace(fit_settings, epochs=max(best_epoch, round(0.75 * fit_settings.epochs)))
        fit(classifier, data, None, again, job.run / "refit", on_epoch=report("refit"))
    return classifier, _HeldOut(best_epoch, history, logits, data.labels[hold])


def _fit_head_mode(job: _Job) -> tuple[keras.Model, _HeldOut]:
    data, hold, fit_settings = job.data, job.hold, job.settings.fit_settings()
    classifier = job.build()
    features = take_features(
        classifier,
        data,
        fit_settings,
        on_view=lambda view, of: job.progress("features", view / of, f"view {view}/{of}"),
    )
    history = fit_head(
        classifier,
        features[:, job.learn],
        data.labels[job.learn],
        (features[0, hold], data.labels[hold]),
        fit_settings,
        on_epoch=lambda epoch, of, row: job.progress("fit", epoch / of, _words(epoch, of, row)),
    )
    best_epoch = _best_epoch(history)
    logits = classifier.predict(data.tensors[hold], verbose=0)
    if job.settings.refit:
        fit_head(classifier, features, data.labels, None, replace(fit_settings, epochs=best_epoch))
    return classifier, _HeldOut(best_epoch, history, logits, data.labels[hold])


def _best_epoch(history: list[dict[str, float]]) -> int:
    return 1 + int(np.argmin([row["val_loss"] for row in history]))


def _words(epoch: int, of: int, row: dict[str, float]) -> str:
    words = f"epoch {epoch}/{of}  loss {row['loss']:.3f}  accuracy {row['accuracy']:.3f}"
    return words + (f"  held-out {row['val_loss']:.3f} / {row['val_accuracy']:.3f}" if "val_loss" in row else "")


def _require_replaceable(out: Path) -> None:
    """An earlier bundle may be replaced; a folder of anything else must not be lost to a mistyped path."""
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file()):
        raise TrainingFailed(f"{out} is there and is no bundle; name a new folder, or the bundle to replace")


def _require_enough(manifest: DatasetManifest, records: Sequence[ImageRecord]) -> int:
    """The number of groups of the class that has the fewest: no more folds can each hold one out."""
    if len(manifest.class_names) < 2:
        raise TrainingFailed("training needs at least two classes")
    fewest = len(records)
    for name in manifest.class_names:
        groups = [record.group for record in records if record.class_name == name]
        if len(groups) < 5:
            raise TrainingFailed(
                f"class {name!r} has {len(groups)} usable slices outside the test set; training needs at least 5"
            )
        if len(set(groups)) < 2:
            raise TrainingFailed(
                f"the slices of class {name!r} all show the same slice or patient; "
                "training needs at least 2 different ones, one of them to be held out"
            )
        fewest = min(fewest, len(set(groups)))
    return fewest


def _open_run(out: Path, manifest: DatasetManifest, settings: TrainingSettings) -> Path:
    """The folder of checkpoints; one of another data set or other settings is not mixed in."""
    identity = json.dumps({"data": manifest.digest, **{k: str(v) for k, v in asdict(settings).items()}}, sort_keys=True)
    run = out.with_name(f"{out.name}.run") / hashlib.sha256(identity.encode()).hexdigest()[:12]
    run.mkdir(parents=True, exist_ok=True)
    return run
