"""Whether the labels of new images agree with what all others teach. Knows features and labels; numpy is all it needs.

Each new image is judged by a linear classifier that was fitted without its group, as confident learning does
(Northcutt, Jiang, Chuang, JAIR 70, 2021). A single disagreement says little: the classifier errs too. So the share is
compared with that of wrong answers on images whose labels are trusted.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.evaluation.scoring import group_indices, resamples

_FOLDS = 5
_RIDGE = 1.0
"""Of standardised features: the penalty is this times their number."""

Features = NDArray[np.float32]
Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Labelled:
    """Images with labels.

    Attributes:
        features: (N, F).
        labels: (N,) class indices.
        groups: (N,) which images belong together.
    """

    features: Features
    labels: Labels
    groups: Sequence[Hashable]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class LabelNoise:
    """How often new labels are contradicted, beside how often a model errs.

    Attributes:
        contradicted: (N,) whether each new image's label is.
        looks_like: (N,) the class each new image is given instead.
        share, trusted_share: of new labels that are contradicted, and of trusted images answered wrongly.
        low: lower bound, one-sided at 5 %, of their difference.
    """

    contradicted: NDArray[np.bool_]
    looks_like: Labels
    share: float
    trusted_share: float
    low: float


def label_noise(
    known: Labelled,
    new: Labelled,
    trusted_wrong: NDArray[np.bool_],
    trusted_groups: Sequence[Hashable],
    n_classes: int,
    *,
    n_bootstrap: int = 2000,
    seed: int = 0,
) -> LabelNoise:
    """Judges the labels of new images.

    Args:
        known: images learnt before; may be none.
        new: images whose labels are in question; at least two groups of them.
        trusted_wrong: (M,) which images of the test set the champion has wrong. Not the classifier fitted here: wrong
            labels would spoil it, and hide among its errors.
        trusted_groups: (M,) which of those belong together.
        n_classes: in all.
        n_bootstrap: resamples of groups.
        seed: of folds and resampling.
    """
    rng = np.random.default_rng(seed)
    group_of = group_indices(new.groups, len(new))
    fold_of = (rng.permutation(int(group_of.max()) + 1) % _FOLDS)[group_of]
    looks_like = np.zeros(len(new), np.intp)
    for fold in np.unique(fold_of):
        is_out = fold_of == fold
        learnt = _joined(known, _part(new, ~is_out))
        looks_like[is_out] = _classified(learnt, new.features[is_out], n_classes)
    contradicted = looks_like != new.labels
    one = _shares(contradicted, new.groups, n_bootstrap, rng)
    other = _shares(trusted_wrong, trusted_groups, n_bootstrap, rng)
    low = float(np.percentile(one - other, 5))
    return LabelNoise(contradicted, looks_like, float(contradicted.mean()), float(trusted_wrong.mean()), low)


def _classified(learnt: Labelled, features: Features, n_classes: int) -> Labels:
    """The class of each row by ridge regression on balanced one-hot targets, in whichever form is smaller."""
    mean, deviation = learnt.features.mean(axis=0), learnt.features.std(axis=0) + 1e-3
    x = _standardised(learnt.features, mean, deviation)
    targets = np.eye(n_classes)[learnt.labels]
    counts = np.maximum(targets.sum(axis=0), 1)
    weights = np.sqrt(len(x) / (n_classes * counts))[learnt.labels][:, np.newaxis]
    x, y = x * weights, targets * weights
    penalty = _RIDGE * x.shape[1]
    if len(x) <= x.shape[1]:
        kernel = x @ x.T + penalty * np.eye(len(x))
        coefficients = x.T @ np.linalg.solve(kernel, y)
    else:
        coefficients = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return np.asarray((_standardised(features, mean, deviation) @ coefficients).argmax(axis=1), np.intp)


def _standardised(features: Features, mean: Features, deviation: Features) -> NDArray[np.float64]:
    scaled = (features.astype(np.float64) - mean) / deviation
    return np.concatenate([scaled, np.ones((len(scaled), 1))], axis=1)


def _shares(
    flags: NDArray[np.bool_], groups: Sequence[Hashable], n_bootstrap: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    parts = [
        weights @ flags / weights.sum(axis=1)
        for weights in resamples(rng, group_indices(groups, len(flags)), n_bootstrap)
    ]
    return np.concatenate(parts)


def _part(images: Labelled, chosen: NDArray[np.bool_]) -> Labelled:
    groups = [group for group, is_chosen in zip(images.groups, chosen, strict=True) if is_chosen]
    return Labelled(images.features[chosen], images.labels[chosen], groups)


def _joined(one: Labelled, other: Labelled) -> Labelled:
    return Labelled(
        np.concatenate([one.features, other.features]),
        np.concatenate([one.labels, other.labels]),
        [*one.groups, *other.groups],
    )
