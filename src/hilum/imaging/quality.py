"""Says what is doubtful about a decoded slice before a model sees it. Knows grey values, no model and no anatomy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hilum.imaging.body import Body
from hilum.imaging.histogram import percentiles_of

_MIN_SPREAD = 12.0
"""Between the 1st and 99th percentile, of 255: below it a picture shows nothing."""

_MIN_CORRELATION = 0.5
"""Of a pixel with its right and lower neighbour: every slice of the two data sets has 0.75 or more, white noise 0."""

_MIN_BODY_SIDE = 96
"""Of the body's box in pixels: below it nodules of a centimetre are three pixels wide."""


def quality_warnings(pixels: NDArray[np.uint8] | NDArray[np.float32], body: Body) -> tuple[str, ...]:
    """Names what a reader should doubt; each code forces `review`.

    Args:
        pixels: (H, W) grey values on the 0..255 scale.
        body: what `find_body(pixels)` returned.

    Returns:
        Some of `uniform-image`, `noise-image`, `low-resolution`, in this order.
    """
    # Every second pixel, so that neighbours' correlation is that of structure and not of interpolation.
    step = 2 if min(pixels.shape) >= 256 else 1
    sample = pixels[::step, ::step]
    low, high = percentiles_of(sample[::2, ::2], 1, 99)
    warnings = []
    if high - low < _MIN_SPREAD:
        warnings.append("uniform-image")
    elif _neighbour_correlation(sample) < _MIN_CORRELATION:
        warnings.append("noise-image")
    if min(body.bottom - body.top, body.right - body.left) < _MIN_BODY_SIDE:
        warnings.append("low-resolution")
    return tuple(warnings)


def _neighbour_correlation(sample: NDArray[np.uint8] | NDArray[np.float32]) -> float:
    """The lower of the lag-1 autocorrelations along rows and columns."""
    centred = sample.astype(np.float32)
    centred -= centred.mean()
    power = _mean_product(centred, centred)
    if power <= 0:
        return 1.0
    across = _mean_product(centred[:, 1:], centred[:, :-1])
    down = _mean_product(centred[1:], centred[:-1])
    return min(across, down) / power


def _mean_product(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.einsum("ij,ij->", first, second)) / first.size
