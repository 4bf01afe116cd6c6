"""Divides an axial slice into lungs, mediastinum, chest wall and outside, by grey value and shape. Knows no model.

It is anatomy for measurements, not for measuring anatomy: a consolidated or collapsed lung, or one that a large tumour
fills, counts as mediastinum or chest wall where air does not show its border.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.imaging.body import Body

Region = Literal["right_lung", "left_lung", "mediastinum", "chest_wall", "outside"]

REGIONS: tuple[Region, ...] = ("right_lung", "left_lung", "mediastinum", "chest_wall", "outside")
"""In the order of the labels. Right and left are the patient's, in the usual view from the feet: the right lung is on
the picture's left. A flipped picture cannot be told from its grey values."""

_RIGHT, _LEFT, _MEDIASTINUM, _WALL, _OUTSIDE = range(5)

_MIN_LUNG_SHARE = 0.01
"""Air of less than this share of the body is bowel, trachea or an artefact and no lung."""

_MIN_BESIDE_SHARE = 0.05
"""Of the smallest lung: air beside the body that is smaller stays with the chest wall."""

_MAX_BORDER_SHARE = 0.5
"""Of an air space's outline: one that follows the hull further lies outside the skin, such as beside an arm."""

_BOTH_SIDES_SHARE = 0.2
"""Air with at least this share on either side of the midline is two lungs that touch."""

_Mask = NDArray[np.uint8]


def divide(pixels: NDArray[np.uint8] | NDArray[np.float32], body: Body) -> NDArray[np.uint8]:
    """Labels each pixel with its region.

    Air is what is darker than the middle between the body's two anchors, inside its hull. Its large parts that do not
    run along the hull are the lungs, closed over vessels and nodules; what lies between them, inside their common
    convex hull, is the mediastinum (with heart and vertebra); tissue that a lung's own hull encloses on its outer side
    counts as that lung. The rest of the body is chest wall.

    Args:
        pixels: (H, W) grey values, any scale.
        body: what `find_body(pixels)` returned.

    Returns:
        (H, W) uint8 indices into `REGIONS`. Without lungs all of the body is chest wall; without a body all is
        outside.
    """
    height, width = pixels.shape
    labels = np.full((height, width), _OUTSIDE, np.uint8)
    if not body.is_found:
        return labels
    down, across = body.mask.shape
    box = pixels[body.top : body.bottom, body.left : body.right]
    shrinks = box.shape[0] > down
    small = cv2.resize(box, (across, down), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    inside = _divide_body(small < (body.lung + body.tissue) / 2, body.mask > 0)
    labels[body.top : body.bottom, body.left : body.right] = cv2.resize(
        inside, (box.shape[1], box.shape[0]), interpolation=cv2.INTER_NEAREST
    )
    return labels


def _divide_body(is_dark: NDArray[np.bool_], is_body: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Labels the body's box at the search size."""
    beside, lungs = _air_spaces((is_dark & is_body).astype(np.uint8), is_body)
    labels = np.full(is_body.shape, _WALL, np.uint8)
    if lungs.any():
        right, left = _split_sides(lungs, _midline(is_body))
        centres = [_centre_column(lung) for lung in (right, left)]
        columns = np.arange(is_body.shape[1])[np.newaxis]
        if right.any() and left.any():
            is_between = (columns > centres[0]) & (columns < centres[1])
            labels[(_hull(right | left) > 0) & is_between] = _MEDIASTINUM
        for lung, label, is_outer in (
            (right, _RIGHT, columns <= centres[0]),
            (left, _LEFT, columns >= centres[1]),
        ):
            labels[(lung > 0) | ((_hull(lung) > 0) & is_outer)] = label
    labels[beside | ~is_body] = _OUTSIDE
    return labels


def _air_spaces(air: _Mask, is_body: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], _Mask]:
    """Tells air beside the body, inside its hull, from the lungs, which are closed over vessels."""
    padded = np.pad(is_body.astype(np.uint8), 1)
    border = is_body & (cv2.erode(padded, np.ones((5, 5), np.uint8))[1:-1, 1:-1] == 0)
    count, components, stats, _ = cv2.connectedComponentsWithStats(air, connectivity=4)
    beside, lungs = np.zeros(air.shape, bool), np.zeros(air.shape, np.uint8)
    smallest = _MIN_LUNG_SHARE * is_body.sum()
    for index in range(1, count):
        if stats[index, cv2.CC_STAT_AREA] < _MIN_BESIDE_SHARE * smallest:
            continue
        component = (components == index).astype(np.uint8)
        outline = component - cv2.erode(np.pad(component, 1), np.ones((3, 3), np.uint8))[1:-1, 1:-1]
        at_border = (outline > 0) & border
        if at_border.sum() > _MAX_BORDER_SHARE * (outline > 0).sum():
            beside |= component > 0
        elif stats[index, cv2.CC_STAT_AREA] >= smallest:
            lungs |= component
    return beside, lungs


def _midline(is_body: NDArray[np.bool_]) -> float:
    """The column half of the body lies left of."""
    return float(np.median(np.nonzero(is_body)[1]))


def _split_sides(lungs: _Mask, midline: float) -> tuple[_Mask, _Mask]:
    """The two lungs, each closed over its vessels; air spaces that cross the midline are cut there."""
    on_left = np.arange(lungs.shape[1])[np.newaxis] < midline  # of the picture
    sides = [np.zeros_like(lungs), np.zeros_like(lungs)]
    count, components, stats, _ = cv2.connectedComponentsWithStats(lungs, connectivity=4)
    for index in range(1, count):
        component = components == index
        share = (component & on_left).sum() / stats[index, cv2.CC_STAT_AREA]
        if _BOTH_SIDES_SHARE <= share <= 1 - _BOTH_SIDES_SHARE:
            sides[0] |= (component & on_left).astype(np.uint8)
            sides[1] |= (component & ~on_left).astype(np.uint8)
        else:
            sides[0 if share > 0.5 else 1] |= component.astype(np.uint8)
    right, left = (_closed(side) for side in sides)
    return right, np.where(right > 0, 0, left).astype(np.uint8)


def _closed(lung: _Mask) -> _Mask:
    """Fills holes and gaps up to about 3 cm, as vessels and nodules leave them."""
    margin = 6
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    closed = cv2.morphologyEx(np.pad(lung, margin), cv2.MORPH_CLOSE, kernel)
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(closed), outlines, -1, 1, cv2.FILLED)
    return np.ascontiguousarray(filled[margin:-margin, margin:-margin])


def _hull(mask: _Mask) -> _Mask:
    points = cv2.findNonZero(mask)
    return mask if points is None else cv2.fillConvexPoly(np.zeros_like(mask), cv2.convexHull(points), 1)


def _centre_column(mask: _Mask) -> float:
    columns = np.nonzero(mask)[1]
    return float(columns.mean()) if columns.size else -1.0
