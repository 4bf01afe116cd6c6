"""A slice reduced to what says where its body lies and what it shows at all: made once, read by both questions."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.imaging.histogram import percentiles_of

OVERVIEW_SIDE = 160
"""Long side of the reduced picture the body is searched in: the body spans most of it, so 1 % is precise enough."""

LOWEST, HIGHEST = 0.5, 99.5
"""Percentiles between which grey values are stretched: a burned-in mark or a hot pixel is beyond."""


@dataclass(frozen=True)
class Overview:
    """A slice, reduced.

    Attributes:
        pixels: (h, w) grey values of the slice's type and scale, the long side `OVERVIEW_SIDE`.
        scale: of its pixels to the slice's.
        low, high: its percentiles `LOWEST` and `HIGHEST`.
    """

    pixels: NDArray[np.uint8] | NDArray[np.float32]
    scale: float
    low: float
    high: float


def overview_of(pixels: NDArray[np.uint8] | NDArray[np.float32]) -> Overview:
    """The overview of (H, W) grey values, any scale."""
    small = fitted(pixels, OVERVIEW_SIDE)
    return Overview(small, OVERVIEW_SIDE / max(pixels.shape), *percentiles_of(small, LOWEST, HIGHEST))


def fitted(pixels: NDArray[np.uint8] | NDArray[np.float32], side: int) -> NDArray[np.uint8] | NDArray[np.float32]:
    """(H, W) grey values with their long side at `side`, averaged where that is smaller, interpolated where not."""
    height, width = pixels.shape
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small: NDArray[np.uint8] | NDArray[np.float32] = cv2.resize(
        pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    return small
