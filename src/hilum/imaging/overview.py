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
    """A slice, reduced and stretched.

    Attributes:
        grey: (h, w) uint8, the long side `OVERVIEW_SIDE`; 0 is `low` and darker, 255 is `low + span` and brighter.
        scale: of its pixels to the slice's.
        low: percentile `LOWEST` of the reduced slice, on the slice's scale.
        span: from there to percentile `HIGHEST`; hardly more than 0 where all is of one grey.
    """

    grey: NDArray[np.uint8]
    scale: float
    low: float
    span: float


def overview_of(pixels: NDArray[np.uint8] | NDArray[np.float32]) -> Overview:
    """The overview of (H, W) grey values, any scale."""
    scale = OVERVIEW_SIDE / max(pixels.shape)
    size = size_within(pixels.shape, OVERVIEW_SIDE)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    low, high = percentiles_of(small, LOWEST, HIGHEST)
    span = max(high - low, 1e-6)
    grey = np.clip((small.astype(np.float32) - low) * (255.0 / span), 0, 255).astype(np.uint8)
    return Overview(grey, scale, low, span)


def size_within(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """Width and height of a picture of shape (H, W) once its long side is `side`."""
    height, width = shape
    scale = side / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))
