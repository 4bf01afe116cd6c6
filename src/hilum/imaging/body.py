"""Finds the body in an axial slice: its box and mask. Knows grey values only, neither file formats nor models."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.imaging.histogram import histogram, percentile
from hilum.imaging.overview import Overview, overview_of

_MIN_BODY_SHARE = 0.08
"""A hull smaller than this share of the picture is no body; the whole picture is taken instead."""

_TABLE_KERNEL = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
"""Opening with it removes the scanner table, a line at most 3 pixels thick at the search size."""

_BLACK = 4
"""Grey levels (of 256, once stretched) below this are what a window has cut off."""

_CUT_SHARE = 0.2
"""Of the pixels in the hull below Otsu's threshold: where more of them are black, the window has cut off the lungs."""


@dataclass(frozen=True)
class Body:
    """Where the patient's body lies in a slice.

    Attributes:
        top, bottom, left, right: the bounding box in pixels of the slice, half-open.
        mask: (h, w) uint8, 255 inside the body's convex hull, at the reduced search size and covering the box only.
        lung: grey value of aerated lung (or of air, where the slice shows no lung).
        tissue: grey value of soft tissue.
        is_found: False where no body was recognised and the box is the whole slice.
    """

    top: int
    bottom: int
    left: int
    right: int
    mask: NDArray[np.uint8]
    lung: float
    tissue: float
    is_found: bool


def find_body(
    pixels: NDArray[np.uint8] | NDArray[np.float32], *, separates_fat: bool = True, overview: Overview | None = None
) -> Body:
    """Locates the body's bounding box, its hull and its two grey anchors.

    The slice is reduced, split into air and tissue by Otsu's threshold (IEEE Trans. SMC 9(1), 1979), opened to
    remove the table, and the convex hull of its largest component is the body: lungs count as inside, also where the
    chest wall is too thin to close around them.

    Args:
        pixels: (H, W) grey values, any scale.
        separates_fat: split the dark part again where a window has cut the lungs to black, so that fat stays inside;
            False finds bodies as models before this step were trained with.
        overview: of `pixels`, where the caller has it already.

    Returns:
        The body; for a slice without one, the whole picture with `is_found=False`.
    """
    height, width = pixels.shape
    overview = overview or overview_of(pixels)
    grey, scale, low, span = overview.grey, overview.scale, overview.low, overview.span

    otsu, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    threshold = int(otsu)
    x, y, mask, is_found = _hull_above(grey, threshold)
    h, w = mask.shape
    between = _air_below_fat(histogram(grey[y : y + h, x : x + w], mask), threshold) if separates_fat else None
    if between is not None:
        threshold = between
        x, y, mask, is_found = _hull_above(grey, threshold)
        h, w = mask.shape

    counts = histogram(grey[y : y + h, x : x + w], mask)
    at_most = threshold + 1
    dark, bright = counts[:at_most], counts[at_most:]
    tissue_level = at_most + percentile(bright, 50) if bright.any() else 255.0
    has_lung = dark.sum() >= 0.05 * counts.sum()
    lung_level = percentile(dark, 50) if has_lung else percentile(histogram(grey), 2)
    return Body(
        top=int(y / scale),
        bottom=min(height, int(np.ceil((y + h) / scale))),
        left=int(x / scale),
        right=min(width, int(np.ceil((x + w) / scale))),
        mask=mask,
        lung=low + lung_level * span / 255,
        tissue=low + tissue_level * span / 255,
        is_found=is_found,
    )


def _hull_above(grey: NDArray[np.uint8], threshold: int) -> tuple[int, int, NDArray[np.uint8], bool]:
    """Left, top and mask of the hull of the largest component brighter than `threshold`, and whether it is a body.

    Without one, the mask is the whole picture.
    """
    _, tissue = cv2.threshold(grey, threshold, 255, cv2.THRESH_BINARY)
    opened = cv2.morphologyEx(tissue, cv2.MORPH_OPEN, _TABLE_KERNEL)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if len(stats) > 1:  # row 0 is the background
        label = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
        left, top, across, down = (int(v) for v in stats[label, :4])
        component = (labels[top : top + down, left : left + across] == label).astype(np.uint8)
        hull = cv2.fillConvexPoly(np.zeros_like(component), cv2.convexHull(_row_ends(component)), 255)
        if cv2.countNonZero(hull) >= _MIN_BODY_SHARE * grey.size:
            return left, top, hull, True
    return 0, 0, np.full(grey.shape, 255, np.uint8), False


def _air_below_fat(counts: NDArray[np.int64], threshold: int) -> int | None:
    """Where a window has cut the lungs to black, the threshold between air and fat.

    A mediastinal window spreads fat and muscle so far that Otsu's threshold falls between them, and the body would
    lose its fat. The dark part inside such a body is mostly exactly black, which a wide or lung window's is not; that
    part, split again, gives air and fat.

    Args:
        counts: (256,) of the grey values inside the hull.
        threshold: Otsu's, of the picture.

    Returns:
        The threshold, or None where the window has cut nothing off.
    """
    dark = counts[: threshold + 1].astype(np.float64)
    if dark[:_BLACK].sum() <= _CUT_SHARE * dark.sum() or threshold < 1:
        return None
    below = np.cumsum(dark)[:-1]
    above = dark.sum() - below
    gap = np.cumsum(dark * np.arange(threshold + 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.nan_to_num(below * above * (gap[:-1] / below - (gap[-1] - gap[:-1]) / above) ** 2, nan=0.0)
    return int(between.argmax()) if between.any() else None


def _row_ends(component: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The first and last point of each row: no other can be a corner of the convex hull."""
    rows = np.arange(component.shape[0])
    first = component.argmax(axis=1)
    last = component.shape[1] - 1 - component[:, ::-1].argmax(axis=1)
    return np.column_stack([np.concatenate([first, last]), np.concatenate([rows, rows])]).astype(np.int32)
