"""Accuracy and balanced accuracy with intervals that resample groups. Knows answers, not who gave them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.audit.finding import Score
from hilum.evaluation.means import NO_WIDTH, bounds_of_alike

_RESAMPLES = 1000


def score(
    predicted: NDArray[np.intp], labels: NDArray[np.intp], groups: Sequence[str], *, is_balanced: bool = False
) -> Score:
    """The score of some answers; groups are resampled, as images of one group are not independent (Efron 1979).

    Where no resample differs, the interval is that of `bounds_of_alike`, by the number of groups.

    Args:
        predicted: (N,) class indices, N at least 1.
        labels: (N,) class indices.
        groups: (N,) group of each image.
        is_balanced: mean recall of the classes instead of the share of right answers.
    """
    group_of = np.unique(np.array(groups), return_inverse=True)[1]
    classes, label_of = np.unique(labels, return_inverse=True)
    shape = (int(group_of.max()) + 1, len(classes))
    right, total = np.zeros(shape), np.zeros(shape)
    np.add.at(right, (group_of, label_of), predicted == labels)
    np.add.at(total, (group_of, label_of), 1)
    rng = np.random.default_rng(0)
    weights = rng.multinomial(shape[0], np.full(shape[0], 1 / shape[0]), size=_RESAMPLES)
    values = _values(weights @ right, weights @ total, is_balanced=is_balanced)
    low, high = np.percentile(values, (2.5, 97.5))
    if high - low < NO_WIDTH:
        low, high = _of_alike(right, total, is_balanced=is_balanced)
    value = float(_values(right.sum(axis=0)[None], total.sum(axis=0)[None], is_balanced=is_balanced)[0])
    majority = 1 / len(classes) if is_balanced else float(total.sum(axis=0).max() / total.sum())
    return Score(value, float(low), float(high), len(labels), majority)


def _of_alike(right: NDArray[np.float64], total: NDArray[np.float64], *, is_balanced: bool) -> tuple[float, float]:
    columns = zip(right.T, total.T, strict=True) if is_balanced else [(right.sum(axis=1), total.sum(axis=1))]
    found = [bounds_of_alike(float(hits.sum() / of.sum()), int((of > 0).sum())) for hits, of in columns]
    return float(np.mean([low for low, _ in found])), float(np.mean([high for _, high in found]))


def _values(right: NDArray[np.float64], total: NDArray[np.float64], *, is_balanced: bool) -> NDArray[np.float64]:
    if not is_balanced:
        return np.asarray(right.sum(axis=1) / np.maximum(total.sum(axis=1), 1))
    drawn = total > 0
    recalls = np.where(drawn, right / np.maximum(total, 1), 0)
    return np.asarray(recalls.sum(axis=1) / np.maximum(drawn.sum(axis=1), 1))
