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
    lower = np.floor(direction).astype(np.intp)
    share = direction - lower
    n, height, width = grey.shape
    rows, columns = height // _CELL, width // _CELL
    cells = np.empty((n, _BINS, rows, columns), np.float32)
    for direction_bin in range(_BINS):
        votes = np.where(lower % _BINS == direction_bin, strength * (1 - share), 0)
        votes += np.where((lower + 1) % _BINS == direction_bin, strength * share, 0)
        votes = votes[:, : rows * _CELL, : columns * _CELL].reshape(n, rows, _CELL, columns, _CELL)
        cells[:, direction_bin] = votes.sum(axis=(2, 4))
    corners = [(row, column) for row in (0, 1) for column in (0, 1)]
    blocks = np.concatenate([cells[:, :, r : rows - 1 + r, c : columns - 1 + c] for r, c in corners], axis=1)
    blocks /= np.sqrt((blocks**2).sum(axis=1, keepdims=True) + 1e-2)
    blocks = np.minimum(blocks, _CLIP)
    blocks /= np.sqrt((blocks**2).sum(axis=1, keepdims=True) + 1e-6)
    return np.asarray(blocks.reshape(n, -1), np.float32)
