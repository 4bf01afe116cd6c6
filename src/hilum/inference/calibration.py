"""Turns logits into probabilities that mean what they say (temperature scaling, Guo et al., ICML 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def calibrated_probabilities(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Softmax of `logits / temperature`.

    Args:
        logits: (N, C).
        temperature: above 1 softens, below 1 sharpens.

    Returns:
        (N, C) float64, rows sum to 1.
    """
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Finds the temperature with the lowest negative log-likelihood on held-out slices.

    The loss is unimodal in log-temperature; four rounds of a grid reach 0.1 %.

    Args:
        logits: (N, C) of slices the model was not trained on.
        labels: (N,) class indices.

    Returns:
        A temperature in [0.05, 20].
    """
    rows = np.arange(len(labels))
    low, high = np.log(0.05), np.log(20.0)
    for _ in range(4):
        grid = np.linspace(low, high, 41)
        losses = [
            -np.log(calibrated_probabilities(logits, float(np.exp(g)))[rows, labels] + 1e-12).mean() for g in grid
        ]
        best = int(np.argmin(losses))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    return float(np.exp((low + high) / 2))


def conformal_threshold(probabilities: NDArray[np.float64], labels: NDArray[np.int64], coverage: float) -> float:
    """The probability from which a class belongs to the prediction set (split conformal, Vovk et al. 2005; LAC).

    For slices exchangeable with these, sets of all classes at least this probable contain the true one with at least
    probability `coverage` (Sadinle, Lei and Wasserman, JASA 2019).

    Args:
        probabilities: (N, C) calibrated, of slices the model was not trained on.
        labels: (N,) class indices.
        coverage: the share to reach, in (0, 1).

    Returns:
        A threshold in [0, 1]; 0 where N is too small to promise the coverage, so that every class is in the set.
    """
    of_true_class = np.sort(probabilities[np.arange(len(labels)), labels])
    below = len(labels) + 1 - int(np.ceil((len(labels) + 1) * coverage - 1e-9))  # 20 * 0.9 must count as 18
    return float(of_true_class[below - 1]) if below >= 1 else 0.0


def prediction_set(probabilities: NDArray[np.float64], threshold: float) -> NDArray[np.intp]:
    """Indices of the classes in the set, most probable first; the most probable one always is.

    Args:
        probabilities: (C,) calibrated.
        threshold: from `conformal_threshold`.
    """
    order = np.argsort(-probabilities, kind="stable")
    return np.asarray([c for rank, c in enumerate(order) if rank == 0 or probabilities[c] >= threshold], np.intp)
