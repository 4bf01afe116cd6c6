"""What is doubtful is named, and a plain slice is not."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from hilum.imaging.body import find_body
from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.quality import quality_warnings


def _warnings(pixels: np.ndarray) -> tuple[str, ...]:
    return quality_warnings(pixels, find_body(pixels))


@pytest.mark.parametrize("side", [160, 256, 512, 1000])
def test_a_slice_is_not_doubtful(side: int) -> None:
    assert _warnings(draw_phantom(3, side=side)) == ()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_uniform_picture(level: int) -> None:
    assert _warnings(np.full((300, 300), level, np.uint8)) == ("uniform-image",)


def test_noise() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (300, 300), np.uint8)
    assert _warnings(noise) == ("noise-image",)


def test_a_thumbnail() -> None:
    assert _warnings(draw_phantom(3, side=64)) == ("low-resolution",)


def test_float_slices_are_judged_alike() -> None:
    assert _warnings(draw_phantom(3).astype(np.float32)) == ()


@pytest.mark.parametrize(("spread", "expected"), [(11, ("uniform-image",)), (14, ())])
def test_a_faint_slice_is_seen_until_hardly_anything_is_left_of_it(spread: int, expected: tuple[str, ...]) -> None:
    slice_pixels = draw_phantom(3).astype(np.float32)
    low, high = np.percentile(slice_pixels[::4, ::4], (1, 99))
    faint = (100 + np.clip((slice_pixels - low) / (high - low), 0, 1) * spread).astype(np.float32)
    assert _warnings(faint) == expected


def test_a_bright_dot_does_not_make_an_empty_picture_a_slice() -> None:
    dotted = np.full((300, 300), 90, np.uint8)
    dotted[148:152, 148:152] = 255
    assert _warnings(dotted) == ("uniform-image",)


def test_enlarged_noise_is_noise() -> None:
    """Its neighbouring pixels are as alike as those of a slice, by the interpolation alone."""
    enlarged = cv2.resize(_noise(150, 0), (300, 300), interpolation=cv2.INTER_LINEAR)
    assert _warnings(_as_grey(enlarged)) == ("noise-image",)


@pytest.mark.parametrize(("blur", "expected"), [(0.6, ("noise-image",)), (0.75, ())])
def test_a_grainy_picture_is_no_noise(blur: float, expected: tuple[str, ...]) -> None:
    assert _warnings(_as_grey(_noise(240, blur))) == expected


def test_stripes_are_noise_where_lines_do_not_hang_together() -> None:
    stripes = np.repeat(_noise(240, 0)[:, :1], 240, axis=1)
    assert _warnings(_as_grey(stripes)) == ("noise-image",)
    assert _warnings(_as_grey(stripes.T)) == ("noise-image",)


@pytest.mark.parametrize(("height", "width", "expected"), [(96, 96, ()), (95, 200, ("low-resolution",))])
def test_a_body_of_few_pixels_is_low_resolution_whatever_is_around_it(
    height: int, width: int, expected: tuple[str, ...]
) -> None:
    pixels = draw_phantom(3)
    for sides in ((height, width), (width, height)):
        body = replace(find_body(pixels), top=30, bottom=30 + sides[0], left=20, right=20 + sides[1])
        assert quality_warnings(pixels, body) == expected


def _noise(side: int, blur: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 1, (side, side)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), blur) if blur else noise


def _as_grey(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(128 + 60 * values / values.std(), 0, 255).astype(np.uint8))
