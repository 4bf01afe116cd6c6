"""Shows where in a slice the answer came from: activation maps to pictures. Knows no HTTP and no model.

The maps are class activation maps (Zhou et al., CVPR 2016): the model's last features weighted for one class.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.imaging.png_writer import write_palette_png
from hilum.inference.predictor import Prediction

MAX_SIDE = 1024
"""Long side of the largest heat map drawn: the map has some tens of cells, more pixels would add no information."""

_OVERLAY_WEIGHT = 0.6
_FAINTEST = 0.12
"""Normalised activation below this share of the peak is not drawn, so that the slice stays readable."""


@dataclass(frozen=True)
class Explanation:
    """What spoke for the predicted class, and where in the slice it lies.

    Attributes:
        activation_map: (h, w) float32 >= 0, over the body's box.
        mask: (m, n) uint8, 255 inside the body, over the same box.
        top, bottom, left, right: the box in pixels of the slice, half-open.
        height, width: of the slice in pixels.
    """

    activation_map: NDArray[np.float32]
    mask: NDArray[np.uint8]
    top: int
    bottom: int
    left: int
    right: int
    height: int
    width: int


def explanation_of(prediction: Prediction) -> Explanation:
    """The explanation of a prediction, without its pixels."""
    body = prediction.body
    height, width = prediction.ct_slice.pixels.shape
    return Explanation(
        prediction.activation_map, body.mask, body.top, body.bottom, body.left, body.right, height, width
    )


def normalised_map(activation_map: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scales a map so that its peak is 1; a map without positive activation stays 0 everywhere."""
    positive = np.maximum(np.nan_to_num(activation_map), 0)
    peak = float(positive.max(initial=0))
    return np.asarray(positive / peak if peak > 0 else np.zeros_like(positive), np.float32)


def heat_map(explanation: Explanation, *, max_side: int = MAX_SIDE) -> NDArray[np.float32]:
    """Draws the activation over the whole slice.

    Args:
        explanation: of one prediction.
        max_side: cap on the long side of the result.

    Returns:
        (H, W) float32 in [0, 1], 0 outside the body.
    """
    scale = min(1.0, max_side / max(explanation.height, explanation.width))
    height, width = max(1, round(explanation.height * scale)), max(1, round(explanation.width * scale))
    top, left = min(height - 1, int(explanation.top * scale)), min(width - 1, int(explanation.left * scale))
    bottom = min(height, max(top + 1, round(explanation.bottom * scale)))
    right = min(width, max(left + 1, round(explanation.right * scale)))
    size = (right - left, bottom - top)
    grown = cv2.resize(normalised_map(explanation.activation_map), size, interpolation=cv2.INTER_CUBIC)
    inside = cv2.resize(explanation.mask, size, interpolation=cv2.INTER_LINEAR)
    canvas = np.zeros((height, width), np.float32)
    canvas[top:bottom, left:right] = np.clip(grown, 0, 1) * (inside.astype(np.float32) / 255)
    return canvas


def heat_map_png(explanation: Explanation, *, max_side: int = MAX_SIDE) -> bytes:
    """Encodes the heat map as a PNG to lay over the slice: transparent where nothing was activated.

    It has a palette of 256 colours with opacity: encoded in a third of the time that four channels take, and a third
    of their size.
    """
    return write_palette_png(_as_bytes(heat_map(explanation, max_side=max_side)), *_palette())


def overlay_png(prediction: Prediction, *, max_side: int = MAX_SIDE) -> bytes:
    """Encodes the slice with the heat map blended over it as a colour PNG."""
    heat = heat_map(explanation_of(prediction), max_side=max_side)
    grey = grey_picture(prediction.ct_slice.pixels, max_side=max_side)
    slice_colours = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.float32)
    colours = cv2.applyColorMap(_as_bytes(heat), cv2.COLORMAP_INFERNO).astype(np.float32)
    weight = (_OVERLAY_WEIGHT * _opacity(heat))[..., np.newaxis]
    return encode_png(np.asarray(np.rint(slice_colours * (1 - weight) + colours * weight), np.uint8))


def grey_picture(pixels: NDArray[np.uint8] | NDArray[np.float32], *, max_side: int) -> NDArray[np.uint8]:
    """The decoded slice as 8-bit grey for the screen, its long side at most `max_side`."""
    scale = max_side / max(pixels.shape)
    if scale < 1:
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    return np.asarray(np.rint(np.clip(pixels, 0, 255)), np.uint8)


@cache
def _palette() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(256, 3) RGB and (256,) opacity of the 256 levels of activation."""
    levels = np.arange(256, dtype=np.uint8)
    colours = cv2.applyColorMap(levels[:, np.newaxis], cv2.COLORMAP_INFERNO)[:, 0, ::-1]
    return colours, _as_bytes(_opacity(np.linspace(0, 1, 256, dtype=np.float32)))


def _opacity(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.clip((heat - _FAINTEST) / (1 - _FAINTEST), 0, 1) ** 0.6, np.float32)


def _as_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.rint(values * 255), np.uint8)


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """Encodes (H, W) grey, (H, W, 3) BGR or (H, W, 4) BGRA as PNG."""
    _, encoded = cv2.imencode(".png", picture)
    return encoded.tobytes()
