"""Fits classifiers on parts of one set of slices, by mode: every weight, or the head alone. Chooses no part itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from hilum.errors import TrainingFailed
from hilum.training.architectures import HEAD
from hilum.training.fit_settings import EpochHook, FitSettings
from hilum.training.head import fit_head, take_features
from hilum.training.trainer import FINAL, HISTORY, AugmentedBatches, TrainingData, fit
from hilum.training.watch import Progress, Watch


@dataclass(frozen=True)
class Fitted:
    """One fit.

    Attributes:
        load: gives the classifier with the weights kept, where they are kept: of a finished fold its answers suffice.
        history: by epoch.
        held_out_logits: (M, C) of the slices held out; empty where there were none.
    """

    load: Callable[[], keras.Model]
    history: list[dict[str, float]]
    held_out_logits: NDArray[np.float32]

    @property
    def classifier(self) -> keras.Model:
        """With the weights kept.

        Raises:
            TrainingFailed: they are not there any more.
        """
        return self.load()

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, with the lowest held-out loss."""
        return 1 + int(np.argmin([row["val_loss"] for row in self.history]))


class Fitter(Protocol):
    """One way of learning; the same part, stage and settings give the same classifier."""

    def fit(self, stage: str, learn: NDArray[np.intp], hold: NDArray[np.intp] | None, settings: FitSettings) -> Fitted:
        """Fits a new classifier.

        Args:
            stage: names the fit in progress and in the folder of checkpoints.
            learn: indices of the slices to learn.
            hold: indices of the slices to watch and to answer for.
            settings: the schedule.
        """
        ...


@dataclass(frozen=True)
class FullFitter:
    """Learns every weight from `build()`'s; a fit that was killed goes on, a finished one is loaded."""

    data: TrainingData
    build: Callable[[], keras.Model]
    checkpoints: Path
    progress: Progress
    watch: Watch = field(default_factory=Watch)

    def fit(self, stage: str, learn: NDArray[np.intp], hold: NDArray[np.intp] | None, settings: FitSettings) -> Fitted:
        """Fits a new classifier; see `Fitter`."""
        kept = KeptFit(self.checkpoints / stage)
        if kept.is_finished and hold is not None:
            return kept.fitted(self._load)
        keras.utils.set_random_seed(settings.seed)
        classifier = self.build()
        learnt = self.data.subset(learn)
        held_out = None if hold is None else (self.data.tensors[hold], self.data.targets[hold])
        history = fit(
            classifier,
            lambda first: AugmentedBatches(learnt, settings, first),
            held_out,
            settings,
            kept.folder,
            on_epoch=reporter(stage, self.progress, self.watch),
            on_batch=lambda done: self.watch.on_batch(stage, done / settings.epochs),
        )
        logits = logits_of(classifier, held_out and held_out[0])
        kept.finish(logits)
        return Fitted(lambda: classifier, history, logits)

    def _load(self, weights: Path) -> keras.Model:
        classifier = self.build()
        classifier.load_weights(weights)
        return classifier


@dataclass(frozen=True)
class KeptFit:
    """The folder of a fit: its answers to what it held out are written last, and say that it is finished."""

    folder: Path

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return self._answers.exists()

    def finish(self, held_out_logits: NDArray[np.float32]) -> None:
        """Keeps the answers."""
        np.save(self._answers, held_out_logits)

    def fitted(self, load: Callable[[Path], keras.Model]) -> Fitted:
        """What was fitted; its weights, which `load` is given, may have been cleared away or stayed elsewhere."""
        history = json.loads((self.folder / HISTORY).read_text())
        return Fitted(lambda: load(self._weights()), history, np.load(self._answers))

    def _weights(self) -> Path:
        weights = self.folder / FINAL
        if not weights.exists():
            raise TrainingFailed(f"{weights} is missing: remove {self.folder} to fit it again")
        return weights

    @property
    def _answers(self) -> Path:
        return self.folder / "held-out.npy"


class HeadFitter:
    """Learns the linear head on features of the frozen backbone, which are taken once for all fits."""

    def __init__(
        self,
        data: TrainingData,
        build: Callable[[], keras.Model],
        settings: FitSettings,
        progress: Progress,
        watch: Watch | None = None,
        *,
        starts_warm: bool = False,
    ) -> None:
        """Takes the features of every slice; `starts_warm`: each fit begins at the head that `build` made."""
        self._data, self._progress, self._watch = data, progress, watch or Watch()
        keras.utils.set_random_seed(settings.seed)
        self._classifier = build()
        self.features = take_features(
            self._classifier,
            data,
            settings,
            on_view=lambda view, of: progress("features", view / of, f"view {view}/{of}"),
            on_batch=lambda share: self._watch.on_batch("features", share),
        )
        self._start = self._classifier.get_layer(HEAD).get_weights() if starts_warm else None

    def fit(self, stage: str, learn: NDArray[np.intp], hold: NDArray[np.intp] | None, settings: FitSettings) -> Fitted:
        """Fits a new head into the one classifier; see `Fitter`."""
        targets = self._data.targets
        history = fit_head(
            self._classifier,
            self.features,
            targets,
            None if hold is None else (self.features[0, hold], targets[hold]),
            settings,
            slices=learn,
            start=self._start,
            on_epoch=reporter(stage, self._progress, self._watch),
        )
        return Fitted(lambda: self._classifier, history, self._logits(hold))

    def _logits(self, hold: NDArray[np.intp] | None) -> NDArray[np.float32]:
        """(M, C) of the slices as served, from their features: the backbone is the same for every head."""
        kernel, bias = self._classifier.get_layer(HEAD).get_weights()
        features = self.features[0, [] if hold is None else hold]
        return np.asarray(features @ kernel + bias, np.float32)


def logits_of(model: keras.Model, seen: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """(M, C) for what the model sees of M slices; (0, C) where there are none."""
    if seen is None:
        return np.empty((0, model.output_shape[-1]), np.float32)
    return np.asarray(model.predict(seen, verbose=0), np.float32)


def reporter(stage: str, progress: Progress, watch: Watch) -> EpochHook:
    """Tells progress and watch of each epoch."""

    def report(epoch: int, of: int, row: dict[str, float]) -> None:
        words = f"epoch {epoch}/{of}  loss {row['loss']:.3f}  accuracy {row['accuracy']:.3f}"
        if "val_loss" in row:
            words += f"  held-out {row['val_loss']:.3f} / {row['val_accuracy']:.3f}"
        watch.on_epoch(stage, row)
        progress(stage, epoch / of, words)

    return report
