"""What may happen to a slice between scanner and model: windows, formats, sizes, noise, position. Knows pixels only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from hilum.imaging.body import Body
from hilum.training.probes.cases import Pixels, like
from hilum.training.probes.properties import as_jpeg

_LUNG_HU, _TISSUE_HU = -850.0, 40.0
"""Usual radiodensity of aerated lung and of muscle: they put a scale to the grey values of an 8-bit picture."""


@dataclass(frozen=True)
class Perturbation:
    """One thing that may happen.

    Attributes:
        name: as in the table.
        family: rows of one family stand together.
        apply: takes pixels, body and a random generator of the slice's own.
    """

    name: str
    family: str
    apply: Callable[[Pixels, Body, np.random.Generator], Pixels]


def perturbations() -> tuple[Perturbation, ...]:
    """Every row of the robustness table, from the mild to the strong within each family."""
    return (
        Perturbation("lung window (centre -600, width 1500)", "window", _window(-600, 1500)),
        Perturbation("mediastinal window (centre 40, width 400)", "window", _window(40, 400)),
        Perturbation("wide window (centre 0, width 2500)", "window", _window(0, 2500)),
        *(Perturbation(f"brightness {shift:+d} of 255", "level", _linear(1, shift)) for shift in (-50, -25, 25, 50)),
        *(Perturbation(f"contrast × {gain:g}", "level", _linear(gain, 0)) for gain in (0.5, 0.75, 1.25, 1.5)),
        *(Perturbation(f"JPEG quality {quality}", "JPEG", _jpeg(quality)) for quality in (90, 70, 50, 30)),
        *(Perturbation(f"resized × {scale:g}", "size", _resize(scale)) for scale in (0.5, 0.75, 1.5)),
        *(Perturbation(f"rotated {angle:+d}°", "position", _rotate(angle)) for angle in (-5, 5)),
        Perturbation("cropped 5 % each side", "position", _crop),
        Perturbation("black margin of 20 % each side", "position", _margin),
        Perturbation("left and right exchanged", "position", _flip),
        *(Perturbation(f"noise, standard deviation {sd}", "noise", _noise(sd)) for sd in (5, 10)),
        *(Perturbation(f"blurred, {sigma} px", "blur", _blur(sigma)) for sigma in (1, 2)),
    )


_Apply = Callable[[Pixels, Body, np.random.Generator], Pixels]


def _window(centre: float, width: float) -> _Apply:
    """A window in HU, with lung and soft tissue as they are found taken for -850 and 40 HU.

    What the picture's own window has cut off already stays cut off.
    """

    def apply(pixels: Pixels, body: Body, _: np.random.Generator) -> Pixels:
        hu_per_grey = (_TISSUE_HU - _LUNG_HU) / max(body.tissue - body.lung, 1.0)
        hu = _LUNG_HU + (pixels.astype(np.float32) - body.lung) * hu_per_grey
        return like((hu - (centre - width / 2)) * (255 / width), pixels)

    return apply


def _linear(gain: float, shift: float) -> _Apply:
    return lambda pixels, *_: like((pixels.astype(np.float32) - 127.5) * gain + 127.5 + shift, pixels)


def _jpeg(quality: int) -> _Apply:
    return lambda pixels, *_: as_jpeg(pixels, quality)


def _resize(scale: float) -> _Apply:
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return lambda pixels, *_: like(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=interpolation), pixels)


def _rotate(degrees: float) -> _Apply:
    def apply(pixels: Pixels, *_: object) -> Pixels:
        height, width = pixels.shape
        turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
        darkest = float(pixels.min())
        return np.asarray(cv2.warpAffine(pixels, turn, (width, height), borderValue=darkest))

    return apply


def _crop(pixels: Pixels, *_: object) -> Pixels:
    down, across = round(0.05 * pixels.shape[0]), round(0.05 * pixels.shape[1])
    return like(pixels[down : pixels.shape[0] - down, across : pixels.shape[1] - across], pixels)


def _margin(pixels: Pixels, *_: object) -> Pixels:
    down, across = round(0.2 * pixels.shape[0]), round(0.2 * pixels.shape[1])
    return like(np.pad(pixels, ((down, down), (across, across))), pixels)


def _flip(pixels: Pixels, *_: object) -> Pixels:
    return like(pixels[:, ::-1], pixels)


def _noise(deviation: float) -> _Apply:
    return lambda pixels, _, rng: like(pixels + deviation * rng.standard_normal(pixels.shape, np.float32), pixels)


def _blur(sigma: float) -> _Apply:
    return lambda pixels, *_: cv2.GaussianBlur(pixels, (0, 0), sigma)
