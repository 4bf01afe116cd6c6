"""Histograms of oriented gradients: features of shape without training. Knows pixels only.

Dalal and Triggs, CVPR 2005: unsigned gradients in 9 directions, cells of 8 by 8 pixels, overlapping blocks of 2 by 2
cells, L2-Hys normalisation. Written out because OpenCV 5 has moved its own into a package of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CELL, _BINS, _CLIP = 8, 9, 0.2
_BATCH = 128


def hog_features(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features of pictures of one size.

    Args:
        pictures: (N, H, W) uint8, H and W at least 16.

    Returns:
        (N, (H // 8 - 1) * (W // 8 - 1) * 36) float32.
    """
    batches = [_features(pictures[start : start + _BATCH]) for start in range(0, len(pictures), _BATCH)]
    return np.concatenate(batches) if batches else np.empty((0, 0), np.float32)


def _features(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = pictures.astype(np.float32)
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    strength = np.hypot(across, down)
    direction = np.mod(np.arctan2(down, across), np.pi) * (_BINS / np.pi) - 0.5
    lower = np.floor(direction)
    share = direction - lower
    first = lower.astype(np.intp)
    n, height, width = grey.shape
    rows, columns = height // _CELL, width // _CELL
    sums = _voted(first % _BINS, strength * (1 - share)) + _voted((first + 1) % _BINS, strength * share)
    corners = [(row, column) for row in (0, 1) for column in (0, 1)]
    cells = sums.astype(np.float32)
    blocks = np.concatenate([cells[:, :, r : rows - 1 + r, c : columns - 1 + c] for r, c in corners], axis=1)
    blocks /= np.sqrt((blocks**2).sum(axis=1, keepdims=True) + 1e-2)
    blocks = np.minimum(blocks, _CLIP)
    blocks /= np.sqrt((blocks**2).sum(axis=1, keepdims=True) + 1e-6)
    return np.asarray(blocks.reshape(n, -1), np.float32)


def _voted(bins: NDArray[np.intp], votes: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N, bins, rows, columns) sums of the votes for each direction in each cell; both are (N, H, W)."""
    n, height, width = bins.shape
    rows, columns = height // _CELL, width // _CELL
    whole = np.s_[:, : rows * _CELL, : columns * _CELL]
    cell_of = np.arange(rows * _CELL)[:, None] // _CELL * columns + np.arange(columns * _CELL) // _CELL
    picture = np.arange(n)[:, None, None] * (rows * columns * _BINS)
    places = picture + bins[whole] * (rows * columns) + cell_of
    counted = np.bincount(places.ravel(), votes[whole].ravel(), n * rows * columns * _BINS)
    return np.asarray(counted.reshape(n, _BINS, rows, columns))
