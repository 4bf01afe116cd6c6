"""What held-out answers teach about deciding: temperature, operating point, conformal threshold. Knows no images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.inference.calibration import calibrated_probabilities, conformal_threshold, fit_temperature

CONFIDENT_ACCURACY = 0.97
"""The operating point: the lowest confidence above which held-out slices are right at least this often."""

COVERAGE = 0.98
"""The share of held-out slices whose class the prediction set must contain."""


@dataclass(frozen=True)
class Decision:
    """How logits become an answer.

    Attributes:
        temperature: at least 1.
        confident_above: see `operating_point`.
        set_above: classes at least this probable are in the prediction set.
        n: held-out slices all of it rests on.
        accuracy: of the answers for them.
    """

    temperature: float
    confident_above: float
    set_above: float
    n: int
    accuracy: float


def decide(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Decision:
    """Chooses temperature, operating point and conformal threshold.

    The temperature never sharpens: held-out slices share patients with those learnt, as a new patient's do not, so
    what they would justify in confidence beyond the model's own would not hold in use.

    Args:
        logits: (N, C) of slices the answering model was not trained on.
        labels: (N,) class indices.
    """
    temperature = max(1.0, fit_temperature(logits, labels))
    probabilities = calibrated_probabilities(logits, temperature)
    return Decision(
        temperature=temperature,
        confident_above=operating_point(probabilities, labels),
        set_above=conformal_threshold(probabilities, labels, COVERAGE),
        n=len(labels),
        accuracy=float((probabilities.argmax(1) == labels).mean()),
    )


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
