"""The documented conversions to grey, against numbers worked out by hand and an independent library."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from hilum.imaging.raster import Layout, Raster, to_grey

_BLOCK = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40


@pytest.mark.parametrize(
    ("color", "luma"), [((255, 0, 0), 76), ((0, 255, 0), 150), ((0, 0, 255), 29), ((10, 20, 30), 18), ((7, 7, 7), 7)]
)
@pytest.mark.parametrize("layout", ["RGB", "BGR"])
def test_luma_is_bt601(color: tuple[int, int, int], luma: int, layout: Layout) -> None:
    samples = np.full((4, 4, 3), color if layout == "RGB" else color[::-1], np.uint8)
    grey, _ = to_grey(Raster(samples, layout, "RGB"))
    assert np.array_equal(grey, np.full((4, 4), luma))


@pytest.mark.parametrize(("value", "alpha", "expected"), [(255, 0, 0), (255, 128, 128), (200, 51, 40), (9, 255, 9)])
def test_alpha_is_composited_onto_black(value: int, alpha: int, expected: int) -> None:
    samples = np.full((4, 4, 2), (value, alpha), np.uint8)
    grey, _ = to_grey(Raster(samples, "LA", "LA"))
    assert np.array_equal(grey, np.full((4, 4), expected))


def test_premultiplied_alpha_is_not_applied_twice() -> None:
    samples = np.full((4, 4, 4), (100, 100, 100, 100), np.uint8)
    grey, _ = to_grey(Raster(samples, "RGBA", "RGBA", is_premultiplied=True))
    assert np.array_equal(grey, np.full((4, 4), 100))


def test_sixteen_bits_keep_their_fraction() -> None:
    samples = np.array([[0, 257, 300, 65535]], np.uint16)
    grey, _ = to_grey(Raster(samples, "L", "L;16"))
    assert grey.dtype == np.float32
    assert grey[0] == pytest.approx([0, 1, 300 / 257, 255])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_that_of_an_independent_reader(orientation: int) -> None:
    picture = Image.fromarray(_BLOCK)
    picture.getexif()[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(picture))
    grey, _ = to_grey(Raster(_BLOCK, "L", "L", orientation))
    assert np.array_equal(grey, expected)
    assert grey.flags.c_contiguous


def test_a_coloured_annotation_is_no_colour_image() -> None:
    samples = np.full((100, 100, 3), 90, np.uint8)
    samples[:12, :12] = (255, 0, 0)
    assert to_grey(Raster(samples, "RGB", "RGB"))[1] == ()
    samples[:12, :25] = (255, 0, 0)
    assert to_grey(Raster(samples, "RGB", "RGB"))[1] == ("color-image",)
