"""Counts of 8-bit grey values and their percentiles: what sorting the values would give, without sorting."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def histogram(grey: NDArray[Any], mask: NDArray[np.uint8] | None = None) -> NDArray[np.int64]:
    """How often each of the 256 values stands in `grey` (uint8) where `mask` is not 0."""
    return np.asarray(cv2.calcHist([grey], [0], mask, [256], [0, 256]).ravel(), np.int64)


def percentile(counts: NDArray[np.int64], percent: float) -> float:
    """The percentile of the values counted, as `np.percentile` interpolates it, to the last bit."""
    cumulative = np.cumsum(counts)
    last = int(cumulative[-1]) - 1
    at = percent / 100 * last
    below = int(at)
    low, high = (int(v) for v in np.searchsorted(cumulative, (below, min(below + 1, last)), side="right"))
    share = at - below
    return high - (high - low) * (1 - share) if share >= 0.5 else low + (high - low) * share


def percentiles_of(grey: NDArray[np.uint8] | NDArray[np.float32], low: float, high: float) -> tuple[float, float]:
    """Two percentiles of a picture of any scale."""
    if grey.dtype != np.uint8:
        lower, upper = np.percentile(grey, (low, high))
        return float(lower), float(upper)
    counts = histogram(grey)
    return percentile(counts, low), percentile(counts, high)
