"""A mean or a share with its 95 % interval. Knows numbers only."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from hilum.evaluation.results import Figure

_Z = 1.959964
"""Standard normal quantile of 97.5 %."""


def mean_figure(values: ArrayLike, *, n_bootstrap: int = 2000, seed: int = 0) -> Figure:
    """The mean with its percentile bootstrap interval (Efron 1979).

    Of right and wrong answers it is the accuracy, with the interval that `evaluate` gives, which is Wilson's where all
    are right.

    Args:
        values: (N,) one value an image; without any the figure is undefined.
        n_bootstrap: resamples.
        seed: of the resamples.
    """
    numbers = np.asarray(values, np.float64)
    if not numbers.size:
        return Figure(None, None, None, 0)
    if (numbers == 1).all():
        return share_figure(numbers.size, numbers.size)
    drawn = np.random.default_rng(seed).integers(0, numbers.size, (n_bootstrap, numbers.size))
    low, high = np.percentile(numbers[drawn].mean(axis=1), (2.5, 97.5))
    return Figure(float(numbers.mean()), float(low), float(high), numbers.size)


def share_figure(count: int, n: int) -> Figure:
    """The share `count / n` with Wilson's score interval (J. Am. Stat. Assoc. 22, 1927), which is never empty."""
    if n == 0:
        return Figure(None, None, None, 0)
    share, spread = count / n, _Z**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * sqrt(share * (1 - share) / n + spread / (4 * n))
    low = middle - half if count else 0.0
    high = middle + half if count < n else 1.0
    return Figure(share, low, high, n)
