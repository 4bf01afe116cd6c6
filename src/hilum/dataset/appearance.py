"""What an image file looks like from outside: format, size, border, grey values. Nothing here is anatomy."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.dataset.manifest import ImageRecord
from hilum.imaging.body import Body
from hilum.imaging.histogram import histogram, percentiles

_FORMATS = ("png", "jpeg", "tiff", "bmp", "webp", "dicom")
_PERCENTILES = (1, 5, 25, 50, 75, 95, 99)

ASPECTS: dict[str, tuple[str, ...]] = {
    "file format and mode": (
        *(f"is_{name}" for name in _FORMATS), "has_alpha", "has_colour_planes", "is_mislabelled",
    ),
    "size": ("width", "height", "proportion", "bytes_per_pixel"),
    "border": (
        "margin_top", "margin_bottom", "margin_left", "margin_right", "outside_share", "outside_mean", "outside_bright",
        "frame_mean",
    ),
    "grey values": ("mean", "deviation", *(f"p{percent}" for percent in _PERCENTILES), "lung_level", "tissue_level"),
}  # fmt: skip
"""The figures of `appearance_of`, by what they are about."""

APPEARANCE_NAMES = tuple(name for names in ASPECTS.values() for name in names)

_BLACK = 12


def columns_of(aspect: str) -> list[int]:
    """Where the figures of one aspect stand in `appearance_of`'s row."""
    return [APPEARANCE_NAMES.index(name) for name in ASPECTS[aspect]]


def appearance_of(
    pixels: NDArray[np.uint8] | NDArray[np.float32], body: Body, record: ImageRecord
) -> NDArray[np.float32]:
    """Figures of a slice that say nothing of what is in it, in the order of `APPEARANCE_NAMES`.

    Args:
        pixels: (H, W) grey values on the 0..255 scale.
        body: what `find_body(pixels)` returned.
        record: the file's.

    Returns:
        (len(APPEARANCE_NAMES),) float32.
    """
    file_figures = [
        *(float(record.file_format == name) for name in _FORMATS),
        float("A" in record.mode),
        float("RGB" in record.mode or "YCC" in record.mode or "YBR" in record.mode),
        float("extension-mismatch" in record.warnings),
    ]
    size = [
        float(record.width),
        float(record.height),
        record.width / record.height,
        record.size_bytes / (record.width * record.height),
    ]
    is_grey = pixels.dtype == np.uint8  # rounding these would copy them to float16, slowly, and back
    grey = np.asarray(pixels if is_grey else np.clip(np.rint(pixels), 0, 255), np.uint8)
    counts = histogram(grey)
    return np.array([*file_figures, *size, *_border(grey, counts, body), *_grey_values(grey, counts, body)], np.float32)


def _border(grey: NDArray[np.uint8], counts: NDArray[np.int64], body: Body) -> list[float]:
    height, width = grey.shape
    outside = counts - histogram(grey[body.top : body.bottom, body.left : body.right])
    total = max(int(outside.sum()), 1)
    frame = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return [
        body.top / height,
        (height - body.bottom) / height,
        body.left / width,
        (width - body.right) / width,
        total / grey.size,
        float(outside @ np.arange(256)) / total,
        float(outside[_BLACK:].sum()) / total,
        float(frame.mean()),
    ]


def _grey_values(grey: NDArray[np.uint8], counts: NDArray[np.int64], body: Body) -> list[float]:
    mean, deviation = cv2.meanStdDev(grey)
    levels = percentiles(counts, *_PERCENTILES)
    return [mean.item(), deviation.item(), *levels, body.lung, body.tissue]
