"""A few numbers that describe a slice's grey values and size, by which one source of slices differs from another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hilum.imaging.body import Body
from hilum.imaging.histogram import histogram, percentiles

STATISTICS = ("grey_low", "grey_median", "grey_high", "lung_level", "tissue_level", "body_share", "short_side")
"""Their names, in the order of `statistics_of`."""

_LONGEST = 128
"""Rows and columns looked at: percentiles of a sixteenth of the pixels are as good."""


def statistics_of(pixels: NDArray[np.uint8] | NDArray[np.float32], body: Body) -> dict[str, float]:
    """Describes a decoded slice.

    Args:
        pixels: (H, W) grey values on the 0..255 scale.
        body: what `find_body(pixels)` returned.

    Returns:
        5th, 50th and 95th percentile of the grey values and the two anchors of the body, all on the 0..255 scale; the
        share of the picture within the body's box; the short side in pixels.
    """
    height, width = pixels.shape
    step = max(1, max(height, width) // _LONGEST)
    counts = histogram(np.ascontiguousarray(pixels[::step, ::step]).astype(np.uint8))
    box = (body.bottom - body.top) * (body.right - body.left)
    low, median, high = percentiles(counts, 5, 50, 95)
    values = (low, median, high, body.lung, body.tissue, box / (height * width), min(height, width))
    return {name: round(float(value), 4) for name, value in zip(STATISTICS, values, strict=True)}
