"""Fits a classifier's weights: batches, schedule, checkpoints, history. Knows arrays, not files of images."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from hilum.training.fit_settings import EpochHook, FitSettings
from hilum.training.objective import AllowedClassesLoss, accuracy
from hilum.training.pulse import Pulse
from hilum.training.stored_rows import StoredRows
from hilum.training.targets import balancing_weights

FINAL, HISTORY = "final.weights.h5", "history.json"
"""The weights of a finished fit and its epochs, in its folder of checkpoints."""


@dataclass(frozen=True)
class TrainingData:
    """Preprocessed slices with their labels.

    Attributes:
        bases: (N, B, B) uint8 slices at `augmentation.BASE_SCALE` times the input side.
        tensors: (N, side, side, 1) float32, the same slices as they are served.
        targets: (N, C) float32, 1 for each class a slice may have: several where its label is coarse.
    """

    bases: NDArray[np.uint8] | StoredRows
    tensors: NDArray[np.float32] | StoredRows
    targets: NDArray[np.float32]

    def subset(self, indices: NDArray[np.int64]) -> TrainingData:
        """The slices at `indices`."""
        return TrainingData(self.bases[indices], self.tensors[indices], self.targets[indices])


class Batches(keras.utils.PyDataset, ABC):
    """Batches of variants, the same for the same seed and epoch wherever a resumed run starts."""

    def __init__(self, targets: NDArray[np.float32], settings: FitSettings, first_epoch: int = 0) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self._targets, self._settings, self._epoch = targets, settings, first_epoch
        self._weights = balancing_weights(targets)
        self._shuffle()

    def __len__(self) -> int:
        """Batches an epoch; the last, smaller one is dropped as it would disturb the batch norms."""
        return max(1, len(self._targets) // self._settings.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Variants (B, ...) of as many slices, targets (B, C) and weights (B,)."""
        size = self._settings.batch_size
        rows = self._order[index * size : (index + 1) * size]
        rng = np.random.default_rng((self._settings.seed, self._epoch, index))
        return self._variants(rows, rng), self._targets[rows], self._weights[rows]

    def on_epoch_end(self) -> None:
        """Reshuffles."""
        self._epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        self._order = np.random.default_rng((self._settings.seed, self._epoch)).permutation(len(self._targets))

    @abstractmethod
    def _variants(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
        """One variant of each slice."""


class AugmentedBatches(Batches):
    """Batches of slices (B, side, side, 1), each varied anew."""

    def __init__(self, data: TrainingData, settings: FitSettings, first_epoch: int = 0) -> None:
        super().__init__(data.targets, settings, first_epoch)
        self._data = data

    def _variants(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
        return vary(self._data, rows, self._settings, rng)


def vary(
    data: TrainingData, rows: NDArray[np.int64], settings: FitSettings, rng: np.random.Generator
) -> NDArray[np.float32]:
    """A random variant of each slice in `rows`, (B, side, side, 1); grey values are taken over from any of `data`."""
    side, bases, augment = data.tensors.shape[1], data.bases, settings.augmentation.apply
    return np.stack([augment(bases[row], side, rng, bases[rng.integers(len(bases))]) for row in rows])[..., np.newaxis]


def fit(
    model: keras.Model,
    batches_from: Callable[[int], Batches],
    held_out: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
    settings: FitSettings,
    directory: Path,
    *,
    on_epoch: EpochHook | None = None,
    on_batch: Callable[[float], None] | None = None,
) -> list[dict[str, float]]:
    """Fits the trainable weights of `model`, from its checkpoint in `directory` where an earlier run was killed.

    A fit that was finished there is loaded, not repeated.
    With `held_out` and a patience, the weights of the epoch with its lowest loss are kept.

    Args:
        model: what the batches hold -> logits.
        batches_from: what is learnt, from the epoch it is given; not called where there is nothing left to do.
        held_out: what the model sees of slices of other groups, and their targets, for early stopping.
        settings: schedule and augmentation.
        directory: for the checkpoint and `history.json`.
        on_epoch: progress; what it raises ends the fit, which another call then resumes after that epoch.
        on_batch: called with the epochs done, after each batch; what it raises ends the fit too.

    Returns:
        The history: for each epoch its `epoch`, `loss`, `accuracy`, `learning_rate` and, with `held_out`, `val_*`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    history = _History(directory / HISTORY, settings.epochs, on_epoch)
    final = directory / FINAL
    if final.exists():
        model.load_weights(final)
        return history.epochs
    if not history.checkpoint(len(history.epochs)).exists():
        history.epochs = []  # epochs whose weights are gone do not count
    batches = batches_from(len(history.epochs))
    rate = _Cosine(settings.learning_rate, len(batches), settings.warmup_epochs, settings.epochs)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, clipnorm=1.0),
        AllowedClassesLoss(settings.label_smoothing),
        metrics=[accuracy],
        jit_compile=False,
    )
    history.restore(model)
    callbacks: list[keras.callbacks.Callback] = [history, *([Pulse(on_batch)] if on_batch else [])]
    best = directory / "best.weights.h5"
    if held_out is not None and settings.patience is not None:
        callbacks.insert(0, _BestWeights(best, history, settings.patience))
    model.fit(
        batches,
        validation_data=held_out,
        initial_epoch=len(history.epochs),
        epochs=settings.epochs,
        callbacks=callbacks,
        shuffle=False,  # the batches are; Keras would reorder them by a state that a resumed run has not
        verbose=0,
    )
    if best.exists():
        model.load_weights(best)
    _save_whole(model, final)
    history.checkpoint(len(history.epochs)).unlink()
    return history.epochs


def _save_whole(model: keras.Model, path: Path) -> None:
    """Saves weights so that a kill leaves the old file or the new one, never half of one."""
    partial = path.with_name("partial.weights.h5")
    model.save_weights(partial)
    partial.replace(path)


@keras.saving.register_keras_serializable("hilum")
class _Cosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then half a cosine down to zero."""

    def __init__(self, peak: float, steps_per_epoch: int, warmup_epochs: float, epochs: int) -> None:
        self.peak, self.steps_per_epoch, self.warmup_epochs, self.epochs = peak, steps_per_epoch, warmup_epochs, epochs

    def __call__(self, step: Any) -> Any:
        epoch = keras.ops.cast(step, "float32") / self.steps_per_epoch
        warm = epoch / max(self.warmup_epochs, 1e-6)
        done = keras.ops.clip((epoch - self.warmup_epochs) / max(self.epochs - self.warmup_epochs, 1e-6), 0.0, 1.0)
        return self.peak * keras.ops.minimum(warm, 0.5 * (1 + keras.ops.cos(math.pi * done)))

    def get_config(self) -> dict[str, Any]:
        """The schedule's arguments."""
        return dict(vars(self))


class _History(keras.callbacks.Callback):
    """Keeps `history.json` and the checkpoint of its last epoch, and picks them up again.

    An epoch counts once its row is written, which is after its checkpoint: a kill anywhere repeats at most one epoch,
    from exactly the state it started in.
    """

    def __init__(self, path: Path, planned: int, on_epoch: EpochHook | None) -> None:
        super().__init__()
        self._path, self._planned, self._on_epoch = path, planned, on_epoch
        self.epochs: list[dict[str, float]] = json.loads(path.read_text()) if path.exists() else []

    def checkpoint(self, epochs: int) -> Path:
        """Where weights and optimizer stand as they were after so many epochs."""
        return self._path.with_name(f"epoch-{epochs}.weights.h5")

    def restore(self, model: keras.Model) -> None:
        """Sets the compiled `model` to the state after the last epoch counted."""
        if self.epochs:
            model.optimizer.build(model.trainable_variables)  # else its moments would not be loaded
            model.load_weights(self.checkpoint(len(self.epochs)))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Appends the epoch's metrics."""
        row = {"epoch": float(epoch + 1), **{name: float(value) for name, value in (logs or {}).items()}}
        row["learning_rate"] = float(self.model.optimizer.learning_rate)
        _save_whole(self.model, self.checkpoint(epoch + 1))
        try:  # told before it counts: a kill in between repeats the epoch; after, nobody would have heard of it
            if self._on_epoch:
                self._on_epoch(epoch + 1, self._planned, row)
        finally:
            self._count(epoch, row)

    def _count(self, epoch: int, row: dict[str, float]) -> None:
        self.epochs = [*self.epochs, row]
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps(self.epochs, indent=1))
        partial.replace(self._path)
        self.checkpoint(epoch).unlink(missing_ok=True)


class _BestWeights(keras.callbacks.Callback):
    """Saves the weights of the lowest validation loss and stops when patience runs out; a resumed run goes on."""

    def __init__(self, path: Path, history: _History, patience: int) -> None:
        super().__init__()
        self._path, self._history, self._patience = path, history, patience

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Compares with the history so far; runs before the history counts this epoch."""
        losses = [row["val_loss"] for row in self._history.epochs] + [float((logs or {})["val_loss"])]
        best = int(np.argmin(losses))
        if best == epoch:
            _save_whole(self.model, self._path)
        self.model.stop_training = epoch - best >= self._patience
