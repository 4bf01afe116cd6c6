"""How much the answers hang on what a picture is like rather than on what it shows: permutation importance.

After Breiman, Machine Learning 45, 2001: a property is exchanged with that of another, random slice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.imaging.body import Body
from hilum.training.probes.cases import Cases, Pixels, Share, like, part
from hilum.training.probes.effects import Effect, effect_of

Property = Literal["brightness", "contrast", "sharpness", "size", "margin", "file_format"]
_PROPERTIES: tuple[Property, ...] = get_args(Property)

_JPEG_QUALITY = 75
"""Of a slice that takes over the format of a JPEG, whose own quality is not known."""

_SIDE = 256
"""Sharpness is measured and changed at about the size a model sees, so that it is not one with the size."""

_BLURS = (0.4, 0.6, 0.8, 1.0, 1.4, 2.0, 3.0)
_SHARPENINGS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)


@dataclass(frozen=True)
class Look:
    """What a picture is like.

    Attributes:
        brightness, contrast: mean and standard deviation of the grey values in the body's box.
        sharpness: standard deviation of the Laplacian over that of the grey values, at 256 pixels.
        size: pixels of the picture.
        margin: (top, bottom, left, right) beyond the body's box, in shares of the box's sides.
        file_format: by content.
    """

    brightness: float
    contrast: float
    sharpness: float
    size: float
    margin: tuple[float, float, float, float]
    file_format: str


@dataclass(frozen=True)
class PropertyImportance:
    """What exchanging one property did to the slices."""

    name: Property
    effect: Effect


@dataclass(frozen=True)
class Properties:
    """The importance of each property that differs between slices.

    Attributes:
        rows: of the properties that differ.
        constant: those that are the same in every slice of the split, and so were not exchanged.
    """

    rows: tuple[PropertyImportance, ...]
    constant: tuple[Property, ...]


def property_importance(cases: Cases, seed: int, on_share: Share) -> Properties:
    """Gives each slice a property of another one, drawn at random, and asks again.

    Each slice lends each property once. What cannot be undone stays: a JPEG that takes over PNG keeps its artefacts.
    """
    looks = [_look(*case) for case in zip(cases.slices, cases.bodies, cases.file_formats, strict=True)]
    partner = _derangement(len(cases), seed)
    differs = {name: len({getattr(look, name) for look in looks}) > 1 for name in Look.__dataclass_fields__}
    names = [name for name in _PROPERTIES if differs[name]]
    rows = []
    for done, name in enumerate(names):

        def exchanged(case: int, name: Property = name) -> Pixels:
            return exchange(name, cases.slices[case], cases.bodies[case], looks[case], looks[int(partner[case])])

        changed = cases.answers(exchanged, part(on_share, done, len(names)))
        rows.append(PropertyImportance(name, effect_of(cases, changed)))
    return Properties(tuple(rows), tuple(name for name in _PROPERTIES if not differs[name]))


def exchange(name: Property, pixels: Pixels, body: Body, own: Look, other: Look) -> Pixels:
    """The slice with one property of another look; the rest stays as far as the property allows."""
    if name == "brightness":
        return like(pixels.astype(np.float32) + (other.brightness - own.brightness), pixels)
    if name == "contrast":
        gain = other.contrast / max(own.contrast, 1e-6)
        return like((pixels.astype(np.float32) - own.brightness) * gain + own.brightness, pixels)
    if name == "sharpness":
        return _sharpened(pixels, body, own.sharpness, other.sharpness)
    if name == "size":
        return _resized(pixels, (other.size / own.size) ** 0.5)
    if name == "margin":
        return _with_margin(pixels, body, other.margin)
    return as_jpeg(pixels, _JPEG_QUALITY) if other.file_format == "jpeg" != own.file_format else pixels


def as_jpeg(pixels: Pixels, quality: int) -> Pixels:
    """The grey values after a trip through JPEG."""
    grey = np.asarray(np.rint(np.clip(pixels, 0, 255)), np.uint8)
    _, encoded = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)


def _look(pixels: Pixels, body: Body, file_format: str) -> Look:
    box = pixels[body.top : body.bottom, body.left : body.right]
    down, across = box.shape
    height, width = pixels.shape
    return Look(
        brightness=float(box.mean()),
        contrast=float(box.std()),
        sharpness=_sharpness(_reduced(box)),
        size=float(pixels.size),
        margin=(body.top / down, (height - body.bottom) / down, body.left / across, (width - body.right) / across),
        file_format=file_format,
    )


def _derangement(n: int, seed: int) -> NDArray[np.intp]:
    """For each of `n` slices another one, each taken once: neighbours on a random circle."""
    circle = np.random.default_rng(seed).permutation(n)
    partner = np.empty(n, np.intp)
    partner[circle] = np.roll(circle, 1)
    return partner


def _reduced(box: Pixels) -> NDArray[np.float32]:
    small = cv2.resize(box, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _sharpness(reduced: NDArray[np.float32]) -> float:
    return float(cv2.Laplacian(reduced, cv2.CV_32F).std() / max(float(reduced.std()), 1e-6))


def _sharpened(pixels: Pixels, body: Body, own: float, wanted: float) -> Pixels:
    """Blurred or unsharp-masked as far as brings the sharpness closest to the wanted one."""
    box = pixels[body.top : body.bottom, body.left : body.right]
    reduced = _reduced(box)
    steps = _BLURS if wanted < own else _SHARPENINGS
    filters = [(step, 0.0) if wanted < own else (1.0, step) for step in steps]
    misses = [abs(np.log(max(_sharpness(_filtered(reduced, *f, 1.0)), 1e-6) / max(wanted, 1e-6))) for f in filters]
    if abs(np.log(max(own, 1e-6) / max(wanted, 1e-6))) <= min(misses):
        return pixels
    scale = (box.size / reduced.size) ** 0.5
    return like(_filtered(pixels.astype(np.float32), *filters[int(np.argmin(misses))], scale), pixels)


def _filtered(picture: NDArray[np.float32], sigma: float, amount: float, scale: float) -> NDArray[np.float32]:
    """Blurred where `amount` is 0, else the picture plus `amount` times what the blur takes away."""
    blurred = cv2.GaussianBlur(picture, (0, 0), max(sigma * scale, 0.1))
    return np.asarray(picture + amount * (picture - blurred) if amount else blurred, np.float32)


def _resized(pixels: Pixels, scale: float) -> Pixels:
    height, width = pixels.shape
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    return like(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), pixels)


def _with_margin(pixels: Pixels, body: Body, margin: tuple[float, float, float, float]) -> Pixels:
    """The body's box within another margin, empty and as dark as the picture's darkest grey."""
    box = pixels[body.top : body.bottom, body.left : body.right]
    down, across = box.shape
    top, bottom, left, right = (
        round(share * side) for share, side in zip(margin, (down, down, across, across), strict=True)
    )
    darkest = float(pixels.min())
    return np.asarray(cv2.copyMakeBorder(box, top, bottom, left, right, cv2.BORDER_CONSTANT, value=darkest))
