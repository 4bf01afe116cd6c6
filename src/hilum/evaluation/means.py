"""A mean or a share with its 95 % interval. Knows numbers only."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from hilum.evaluation.results import Figure

Z_TWO_SIDED, Z_ONE_SIDED = 1.959964, 1.644854
"""Standard normal quantiles of 97.5 % and of 95 %."""

NO_WIDTH = 1e-12
"""An interval narrower has none: sums of the same numbers in another order differ by less."""


def mean_figure(
    values: ArrayLike, *, within: tuple[float, float] = (0.0, 1.0), n_bootstrap: int = 2000, seed: int = 0
) -> Figure:
    """The mean with its percentile bootstrap interval (Efron 1979).

    Of right and wrong answers it is the accuracy, with the interval that `evaluate` gives. Where all values are the
    same, that of `bounds_of_alike`.

    Args:
        values: (N,) one value an image; without any the figure is undefined.
        within: between what a value may lie.
        n_bootstrap: resamples.
        seed: of the resamples.
    """
    numbers = np.asarray(values, np.float64)
    if not numbers.size:
        return Figure(None, None, None, 0)
    value = float(numbers.mean())
    if np.ptp(numbers) == 0:
        return Figure(value, *bounds_of_alike(value, numbers.size, within=within), numbers.size)
    drawn = np.random.default_rng(seed).integers(0, numbers.size, (n_bootstrap, numbers.size))
    low, high = np.percentile(numbers[drawn].mean(axis=1), (2.5, 97.5))
    return Figure(value, float(low), float(high), numbers.size)


def bounds_of_alike(
    value: float, n: int, *, within: tuple[float, float] = (0.0, 1.0), z: float = Z_TWO_SIDED
) -> tuple[float, float]:
    """Between what the mean lies of which `n` values, all the same, were seen.

    Resampling such values gives an interval without width. None of `n` was another; the upper end of Wilson's interval
    says how many of all may be, and each of those lies somewhere within the range. Of right answers, or wrong ones,
    that is Wilson's interval; of the differences between right answers before and after a change that changed none it
    is Tango's score interval for matched pairs (Stat. Med. 17, 1998), which has a width where Wald's and Newcombe's
    have none.

    Args:
        value: of all.
        n: independent values, at least one.
        within: between what a value may lie.
        z: standard normal quantile of each bound.
    """
    others = z**2 / (n + z**2)
    return value - others * (value - within[0]), value + others * (within[1] - value)


def share_figure(count: int, n: int) -> Figure:
    """The share `count / n` with Wilson's score interval (J. Am. Stat. Assoc. 22, 1927), which is never empty."""
    if n == 0:
        return Figure(None, None, None, 0)
    share, spread = count / n, Z_TWO_SIDED**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = Z_TWO_SIDED / (1 + spread) * sqrt(share * (1 - share) / n + spread / (4 * n))
    low = middle - half if count else 0.0
    high = middle + half if count < n else 1.0
    return Figure(share, low, high, n)
