"""Synthetic axial chest slices, drawn and not measured: samples for a first try, golden inputs and tests."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def draw_phantom(seed: int, *, side: int = 512, with_mass: bool | None = None) -> NDArray[np.uint8]:
    """Draws a body with two lungs, mediastinum, spine, vessels and, perhaps, a mass.

    The same seed gives the same picture on every machine: integer drawing without antialiasing or blur.

    Args:
        seed: chooses anatomy and texture.
        side: height and width in pixels.
        with_mass: draw a mass in one lung; by default odd seeds do.

    Returns:
        (side, side) uint8, on a wide window: air 0, lung about 30, soft tissue about 130, bone about 200.
    """
    rng = np.random.default_rng(seed)
    picture = np.zeros((side, side), np.uint8)

    def at(x: float, y: float) -> tuple[int, int]:
        return round(x * side), round(y * side)

    width, height = rng.uniform(0.40, 0.45), rng.uniform(0.29, 0.34)
    cv2.ellipse(picture, at(0.5, 0.5), at(width, height), 0, 0, 360, 115, cv2.FILLED)
    cv2.ellipse(picture, at(0.5, 0.5), at(width - 0.03, height - 0.03), 0, 0, 360, 130, cv2.FILLED)
    for sign in (-1, 1):
        centre = at(0.5 + sign * width * 0.48, 0.49)
        cv2.ellipse(picture, centre, at(width * 0.34, height * 0.66), sign * 8, 0, 360, 30, cv2.FILLED)
        for _ in range(40):
            x, y = rng.normal(0.5 + sign * width * 0.42, 0.07), rng.normal(0.49, 0.09)
            radius = int(rng.integers(1, max(2, side // 100)))
            if picture[min(side - 1, round(y * side)), min(side - 1, round(x * side))] == 30:
                cv2.circle(picture, at(x, y), radius, int(rng.integers(80, 125)), cv2.FILLED)
    heart = rng.uniform(0.07, 0.12)
    cv2.ellipse(picture, at(0.52, 0.45), at(heart, heart * 1.1), 20, 0, 360, 138, cv2.FILLED)
    cv2.circle(picture, at(0.47, 0.58), round(0.028 * side), 142, cv2.FILLED)
    cv2.circle(picture, at(0.5, 0.68), round(0.045 * side), 200, cv2.FILLED)
    cv2.circle(picture, at(0.5, 0.735), round(0.018 * side), 125, cv2.FILLED)
    cv2.rectangle(picture, at(0.46, 0.5 - height + 0.035), at(0.54, 0.5 - height + 0.055), 195, cv2.FILLED)
    if with_mass if with_mass is not None else seed % 2 == 1:
        sign = 1 if rng.random() < 0.5 else -1
        centre = at(0.5 + sign * width * rng.uniform(0.42, 0.58), rng.uniform(0.40, 0.56))
        cv2.circle(picture, centre, round(rng.uniform(0.025, 0.05) * side), 128, cv2.FILLED)
    cv2.line(picture, at(0.12, 0.5 + height + 0.06), at(0.88, 0.5 + height + 0.06), 90, max(1, side // 256))
    noise = rng.integers(-4, 5, picture.shape, dtype=np.int16)
    return np.asarray(np.clip(picture + noise * (picture > 0), 0, 255), np.uint8)
