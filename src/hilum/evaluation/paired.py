"""Whether two classifiers differ on the same images. Knows which images each had right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class PairedTest:
    """McNemar's test.

    Attributes:
        only_a, only_b: images that one classifier alone had right.
        p_value: two-sided, exact.
    """

    only_a: int
    only_b: int
    p_value: float


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike) -> PairedTest:
    """Tests whether two classifiers have the same accuracy on the same images.

    Exact binomial form of McNemar (Psychometrika 12, 1947): of the images that one of them alone had right, each
    one's share is compared with one half. It takes images as independent: with several slices of one patient it is
    too sure.

    Args:
        correct_a, correct_b: (N,) whether each image was classified correctly.
    """
    a, b = np.asarray(correct_a, bool), np.asarray(correct_b, bool)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"Two vectors of one length are needed; these have the shapes {a.shape} and {b.shape}.")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    n, fewer = only_a + only_b, min(only_a, only_b)
    term, below = 1, 1
    for k in range(1, fewer + 1):
        term = term * (n - k + 1) // k
        below += term
    return PairedTest(only_a, only_b, min(1.0, 2 * below / 2**n))
