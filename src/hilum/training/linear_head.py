"""Fits the linear head of a classifier on features, in numpy: small work, for which no framework is loaded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.training.fit_settings import EpochHook, FitSettings
from hilum.training.targets import balancing_weights

Array = NDArray[np.float32]

_DROPOUT = 0.2
_BETAS, _EPSILON = (0.9, 0.999), 1e-7
_RULED_OUT = -1e9
_BLOCK = 4096


@dataclass(frozen=True)
class LinearHead:
    """What turns features into logits.

    Attributes:
        kernel: (F, C) float32.
        bias: (C,) float32.
    """

    kernel: Array
    bias: Array

    def logits(self, features: Array) -> Array:
        """(N, F) -> (N, C)."""
        return np.asarray(features @ self.kernel + self.bias, np.float32)

    def standardised(self, mean: Array, deviation: Array) -> LinearHead:
        """The same head for features from which `mean` was taken and which were divided by `deviation`."""
        return LinearHead(self.kernel * deviation[:, np.newaxis], self.bias + mean @ self.kernel)

    def folded(self, mean: Array, deviation: Array) -> LinearHead:
        """The inverse of `standardised`: the head for features as they come."""
        kernel = self.kernel / deviation[:, np.newaxis]
        return LinearHead(kernel, self.bias - mean @ kernel)


@dataclass(frozen=True)
class FittedHead:
    """A head, and how its fit went: for each epoch `epoch`, `loss`, `accuracy` and, with slices held out, `val_*`."""

    head: LinearHead
    history: list[dict[str, float]]

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, with the lowest held-out loss."""
        return 1 + int(np.argmin([row["val_loss"] for row in self.history]))


def fit_linear_head(
    features: Array,
    targets: Array,
    held_out: tuple[Array, Array] | None,
    settings: FitSettings,
    *,
    slices: NDArray[np.intp] | None = None,
    start: LinearHead | None = None,
    on_epoch: EpochHook | None = None,
) -> FittedHead:
    """Fits a head by AdamW (Loshchilov and Hutter, ICLR 2019) on standardised features, with dropout on them.

    With `held_out` and a patience, the head of the epoch with its lowest loss is kept. Of the features a block at a
    time is copied, so that they may fill most of the memory.

    Args:
        features: (V, N, F), V views of each slice.
        targets: (N, C) allowed classes.
        held_out: features (M, F) and targets (M, C) of other groups.
        settings: epochs, rate, weight decay, smoothing and seed; the same give the same head.
        slices: indices of those to learn; None learns all N.
        start: where to begin; None begins at random.
        on_epoch: progress; what it raises ends the fit.
    """
    learnt = _Learnt.of(features, targets, np.arange(len(targets)) if slices is None else slices)
    rng = np.random.default_rng(settings.seed)
    shape = features.shape[-1], targets.shape[1]
    first = start.standardised(learnt.mean, learnt.deviation) if start else _random_head(*shape, rng)
    descent = _Descent(first, settings, rng)
    watched = (learnt.standardised(held_out[0]), held_out[1]) if held_out is not None else None
    best, history = first, list[dict[str, float]]()
    for epoch in range(1, settings.epochs + 1):
        loss, accuracy = descent.epoch(learnt)
        row = {"epoch": float(epoch), "loss": loss, "accuracy": accuracy}
        if watched is not None:
            row |= _measured(descent.head, *watched, settings.label_smoothing)
        history.append(row)
        if on_epoch:
            on_epoch(epoch, settings.epochs, row)
        if watched is None or settings.patience is None:
            best = descent.head
            continue
        losses = [one["val_loss"] for one in history]
        if int(np.argmin(losses)) == epoch - 1:
            best = descent.head
        if epoch - 1 - int(np.argmin(losses)) >= settings.patience:
            break
    return FittedHead(best.folded(learnt.mean, learnt.deviation), history)


@dataclass(frozen=True)
class _Learnt:
    """The views to learn, one row each: row v x M + m is view v of the m-th of M slices.

    Attributes:
        features: (V, N, F), of which `slices` (M,) are learnt.
        targets, weights: (M, C) and (M,).
        mean, deviation: (F,) of all rows.
    """

    features: Array
    slices: NDArray[np.intp]
    targets: Array
    weights: Array
    mean: Array
    deviation: Array

    @classmethod
    def of(cls, features: Array, targets: Array, slices: NDArray[np.intp]) -> _Learnt:
        """Measures the slices' features, in double precision: there may be hundreds of thousands of rows."""
        blocks = [
            (view, slices[begin : begin + _BLOCK]) for view in features for begin in range(0, len(slices), _BLOCK)
        ]
        n_rows = len(features) * len(slices)
        mean = sum(view[block].sum(axis=0, dtype=np.float64) for view, block in blocks) / n_rows
        variance = sum(np.square(view[block] - mean).sum(axis=0) for view, block in blocks) / n_rows
        learnt = targets[slices]
        deviation = np.sqrt(variance) + 1e-3
        weights = balancing_weights(learnt)
        return cls(features, slices, learnt, weights, mean.astype(np.float32), deviation.astype(np.float32))

    def __len__(self) -> int:
        return len(self.features) * len(self.slices)

    def rows(self, chosen: NDArray[np.intp]) -> tuple[Array, Array, Array]:
        """Standardised features, targets and weights of some rows."""
        view, place = np.divmod(chosen, len(self.slices))
        return self.standardised(self.features[view, self.slices[place]]), self.targets[place], self.weights[place]

    def standardised(self, features: Array) -> Array:
        """(N, F) as the head sees them while it learns."""
        scaled = features - self.mean
        scaled /= self.deviation
        return scaled


class _Descent:
    """AdamW's state, and the head as it stands."""

    def __init__(self, head: LinearHead, settings: FitSettings, rng: np.random.Generator) -> None:
        self.head = head
        self._settings, self._rng = settings, rng
        self._first = [np.zeros_like(head.kernel), np.zeros_like(head.bias)]
        self._second = [np.zeros_like(head.kernel), np.zeros_like(head.bias)]
        self._steps = 0

    def epoch(self, learnt: _Learnt) -> tuple[float, float]:
        """Goes through all rows once, in random order; returns the mean loss and accuracy met on the way."""
        order = self._rng.permutation(len(learnt))
        losses, n_right = 0.0, 0
        for begin in range(0, len(order), self._settings.batch_size):
            chosen = order[begin : begin + self._settings.batch_size]
            rows, targets, weights = learnt.rows(chosen)
            rows *= self._rng.random(rows.shape, np.float32) >= _DROPOUT
            rows /= np.float32(1 - _DROPOUT)
            loss, slope, right = _objective(self.head.logits(rows), targets, self._settings.label_smoothing)
            slope *= weights[:, np.newaxis] / np.float32(len(chosen))
            self._step(np.asarray(rows.T @ slope, np.float32), slope.sum(axis=0))
            losses += float(loss @ weights)
            n_right += int(right.sum())
        return losses / len(order), n_right / len(order)

    def _step(self, *slopes: Array) -> None:
        self._steps += 1
        rate, (decay_1, decay_2) = self._settings.learning_rate, _BETAS
        corrected = rate * np.sqrt(1 - decay_2**self._steps) / (1 - decay_1**self._steps)
        moved = []
        for place, (value, slope) in enumerate(zip((self.head.kernel, self.head.bias), slopes, strict=True)):
            self._first[place] = decay_1 * self._first[place] + (1 - decay_1) * slope
            self._second[place] = decay_2 * self._second[place] + (1 - decay_2) * slope**2
            shrunk = value * (1 - rate * self._settings.weight_decay)
            step = corrected * self._first[place] / (np.sqrt(self._second[place]) + _EPSILON)
            moved.append(np.asarray(shrunk - step, np.float32))
        self.head = LinearHead(*moved)


def _objective(logits: Array, targets: Array, smoothing: float) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Loss as in `objective.AllowedClassesLoss` (N,), its slope (N, C), and whether an allowed class is the top one."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    probabilities = np.exp(log_probabilities)
    among_allowed = np.where(targets > 0, log_probabilities, _RULED_OUT)
    top = among_allowed.max(axis=1, keepdims=True)
    allowed = top[:, 0] + np.log(np.exp(among_allowed - top).sum(axis=1))
    wanted = np.exp(among_allowed - allowed[:, np.newaxis])
    wanted = (1 - smoothing) * wanted + smoothing / logits.shape[1]
    loss = -(1 - smoothing) * allowed - smoothing * log_probabilities.mean(axis=1)
    is_right = targets[np.arange(len(targets)), logits.argmax(axis=1)] > 0
    return loss, np.asarray(probabilities - wanted, np.float32), is_right


def _measured(head: LinearHead, rows: Array, targets: Array, smoothing: float) -> dict[str, float]:
    loss, _, is_right = _objective(head.logits(rows), targets, smoothing)
    return {"val_loss": float(loss.mean()), "val_accuracy": float(is_right.mean())}


def _random_head(n_features: int, n_classes: int, rng: np.random.Generator) -> LinearHead:
    """Uniform by the number of connections (Glorot and Bengio, AISTATS 2010)."""
    limit = np.sqrt(6 / (n_features + n_classes))
    kernel = rng.uniform(-limit, limit, (n_features, n_classes)).astype(np.float32)
    return LinearHead(kernel, np.zeros(n_classes, np.float32))
