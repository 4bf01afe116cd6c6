"""Counts of 8-bit grey values and their percentiles: what sorting the values would give, without sorting."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def histogram(grey: NDArray[Any], mask: NDArray[np.uint8] | None = None) -> NDArray[np.int64]:
    """How often each of the 256 values stands in `grey` (uint8) where `mask` is not 0."""
    return np.asarray(cv2.calcHist([grey], [0], mask, [256], [0, 256]).ravel(), np.int64)


def percentiles(counts: NDArray[np.int64], *percents: float) -> list[float]:
    """Percentiles of the values counted, as `np.percentile` interpolates them, to the last bit."""
    cumulative = counts.cumsum().tolist()
    last = cumulative[-1] - 1
    found = []
    for percent in percents:
        at = percent / 100 * last
        below = int(at)
        low, high = bisect_right(cumulative, below), bisect_right(cumulative, min(below + 1, last))
        share = at - below
        found.append(high - (high - low) * (1 - share) if share >= 0.5 else low + (high - low) * share)
    return found


def percentile(counts: NDArray[np.int64], percent: float) -> float:
    """One of `percentiles`."""
    return percentiles(counts, percent)[0]


def percentiles_of(grey: NDArray[np.uint8] | NDArray[np.float32], low: float, high: float) -> tuple[float, float]:
    """Two percentiles of a picture of any scale."""
    if grey.dtype != np.uint8:
        lower, upper = np.percentile(grey, (low, high))
        return float(lower), float(upper)
    lower, upper = percentiles(histogram(grey), low, high)
    return lower, upper
