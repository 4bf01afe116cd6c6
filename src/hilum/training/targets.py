"""Targets as arrays: which classes a slice may have, and how much each slice counts. Numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def balancing_weights(targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights with which every class counts alike; a coarse target counts for each of its classes in part.

    Args:
        targets: (N, C) allowed classes.

    Returns:
        (N,) float32 of mean 1.
    """
    shares = targets / targets.sum(axis=1, keepdims=True)
    by_class = len(targets) / (targets.shape[1] * np.maximum(shares.sum(axis=0), 1))
    return np.asarray(shares @ by_class, np.float32)
