"""What is doubtful is named, and a plain slice is not."""

from __future__ import annotations

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
