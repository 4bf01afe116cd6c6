"""Samples of any layout to one grey plane: luma, alpha, depth, orientation. Knows no file format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Layout = Literal["L", "LA", "RGB", "RGBA", "BGR", "BGRA"]
Samples = NDArray[Any]
"""uint8 or uint16, full range."""

Grey = NDArray[Any]
"""uint8 or float32, on the 0..255 scale."""

_TO_LUMA = {
    "RGB": cv2.COLOR_RGB2GRAY,
    "RGBA": cv2.COLOR_RGBA2GRAY,
    "BGR": cv2.COLOR_BGR2GRAY,
    "BGRA": cv2.COLOR_BGRA2GRAY,
}

_COLOR_SPREAD = 24
"""Channels further apart than this, of 255, make a pixel coloured: JPEG's chroma rounding stays far below."""

_COLOR_SHARE = 0.02
"""More coloured pixels than this make a colour image; a scanner's coloured annotations stay below."""


@dataclass(frozen=True)
class Raster:
    """Decoded samples and what is needed to see them right.

    Attributes:
        samples: (H, W) or (H, W, C), uint8 or uint16 with full range.
        layout: the order of the channels.
        mode: the source's pixel layout as reported, such as RGBA or L;16.
        orientation: EXIF, 1 to 8.
        warnings: codes found while reading.
        is_premultiplied: colour was multiplied by alpha before it was stored.
    """

    samples: Samples
    layout: Layout
    mode: str
    orientation: int = 1
    warnings: tuple[str, ...] = ()
    is_premultiplied: bool = False


def to_grey(raster: Raster) -> tuple[Grey, tuple[str, ...]]:
    """Reduces samples to grey.

    Luma is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601); it is then multiplied by alpha, which composites onto black;
    16-bit values are divided by 257; last, the EXIF orientation is applied.

    Returns:
        (H, W) contiguous grey, uint8, or float32 on the 0..255 scale for 16-bit samples; and the warnings.
    """
    samples = raster.samples
    warnings = raster.warnings
    grey = samples.astype(np.float32) / np.float32(257) if samples.dtype == np.uint16 else samples
    if grey.ndim == 3:
        alpha = cv2.extractChannel(grey, grey.shape[2] - 1) if raster.layout.endswith("A") else None
        if raster.layout in _TO_LUMA:
            if _is_coloured(grey):
                warnings = (*warnings, "color-image")
            grey = cv2.cvtColor(grey, _TO_LUMA[raster.layout])
        else:
            grey = grey[..., 0]
        if alpha is not None and not raster.is_premultiplied:
            grey = _onto_black(np.ascontiguousarray(grey), alpha)
    return np.ascontiguousarray(_upright(grey, raster.orientation)), warnings


def _is_coloured(colour: Grey) -> bool:
    # Every fourth row tells the share, and stays in the processor's cache.
    rows = colour[::4]
    first, second, third = (cv2.extractChannel(rows, index) for index in range(3))
    spread = cv2.max(cv2.absdiff(first, second), cv2.absdiff(second, third))
    if cv2.minMaxLoc(spread)[1] <= _COLOR_SPREAD / 2:
        return False
    spread = cv2.max(spread, cv2.absdiff(first, third))
    return bool(np.count_nonzero(spread > _COLOR_SPREAD) > _COLOR_SHARE * spread.size)


def _onto_black(grey: Grey, alpha: Grey) -> Grey:
    if alpha.min() == 255:
        return grey
    composited: Grey = cv2.multiply(grey, alpha, scale=1 / 255)
    return composited


def _upright(grey: Grey, orientation: int) -> Grey:
    if orientation in {5, 6, 7, 8}:
        grey = grey.T
    if orientation in {2, 3, 6, 7}:
        grey = grey[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        grey = grey[::-1]
    return grey
