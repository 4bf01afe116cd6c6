"""Pixels to tensor: the one function training and serving share. Its settings are data and travel in the bundle."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from hilum.imaging.body import Body, find_body
from hilum.imaging.overview import Overview


class Preprocessing(BaseModel):
    """How a slice becomes the model's input.

    The body's box is stretched to the square, everything outside the body is black (table, margin and annotations
    would tell the source), and grey values are mapped so that aerated lung and soft tissue stand at fixed levels:
    the export window then no longer tells the class (../decisions/0002-preprocessing.md).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    side: int = Field(default=256, ge=32, le=1024, description="input side in pixels")
    lung_level: float = Field(default=0.15, ge=-1, le=1, description="where the lung's median grey value is put")
    tissue_level: float = Field(default=0.70, ge=0, le=1, description="where soft tissue's median grey value is put")
    darkest: float = Field(default=0.0, ge=0, le=0.5, description="what is darker inside the body is shown like this")
    separates_fat: bool = Field(default=False, description="how the body is found: see `hilum.imaging.body.find_body`")

    def body_of(self, pixels: NDArray[np.uint8] | NDArray[np.float32], overview: Overview | None = None) -> Body:
        """The body in (H, W) grey values, found as the model learnt it; `overview` is of them, where it is at hand."""
        return find_body(pixels, separates_fat=self.separates_fat, overview=overview)


SOFT_TISSUE = Preprocessing(lung_level=-0.18, tissue_level=0.85, darkest=0.1, separates_fat=True)
"""What new models are trained with: aerated lung is one grey, and what stands out from it is what any window shows
(../decisions/0013-windows.md)."""


def preprocess(
    pixels: NDArray[np.uint8] | NDArray[np.float32], settings: Preprocessing, body: Body | None = None
) -> NDArray[np.float32]:
    """Turns a decoded slice into the model's input.

    Args:
        pixels: (H, W) grey values, any linear scale.
        settings: the bundle's preprocessing.
        body: what `settings.body_of(pixels)` returned, where the caller has it already.

    Returns:
        (side, side, 1) float32 in [0, 1].
    """
    body = body or settings.body_of(pixels)
    size = (settings.side, settings.side)
    box = pixels[body.top : body.bottom, body.left : body.right]
    shrinks = min(box.shape) >= settings.side
    square = cv2.resize(box, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    inside = cv2.resize(body.mask, size, interpolation=cv2.INTER_LINEAR)
    gain = (settings.tissue_level - settings.lung_level) / max(body.tissue - body.lung, 1e-6)
    levelled = square.astype(np.float32) * np.float32(gain) + np.float32(settings.lung_level - gain * body.lung)
    np.clip(levelled, settings.darkest, 1.0, out=levelled)
    levelled *= inside.astype(np.float32) * np.float32(1 / 255)
    return np.asarray(levelled[..., np.newaxis], np.float32)
