"""The overview: what is reduced once for the body and for the gate."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.imaging.body import find_body
from hilum.imaging.overview import OVERVIEW_SIDE, fitted, overview_of
from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import SOFT_TISSUE


@pytest.mark.parametrize(("height", "width"), [(480, 640), (640, 480), (80, 40), (33, 900), (160, 160)])
def test_the_long_side_is_the_same_for_every_picture(height: int, width: int) -> None:
    overview = overview_of(np.full((height, width), 90, np.uint8))
    assert max(overview.pixels.shape) == OVERVIEW_SIDE
    assert min(overview.pixels.shape) == max(1, round(min(height, width) * overview.scale))
    assert (overview.low, overview.high) == (90, 90)


def test_a_burned_in_mark_does_not_change_the_levels() -> None:
    picture = np.tile(np.linspace(20, 200, 320).astype(np.uint8), (320, 1))
    marked = picture.copy()
    marked[:8, :8] = 255
    assert overview_of(marked).high == pytest.approx(overview_of(picture).high, abs=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_types_are_kept(dtype: type) -> None:
    assert overview_of(np.eye(200, dtype=dtype)).pixels.dtype == dtype
    assert fitted(np.eye(50, dtype=dtype), 64).shape == (64, 64)


def test_a_body_found_with_an_overview_at_hand_is_the_same() -> None:
    picture = draw_phantom(5, side=300)[:, 20:]
    at_hand = SOFT_TISSUE.body_of(picture, overview_of(picture))
    alone = find_body(picture)
    assert np.array_equal(at_hand.mask, alone.mask)
    assert (at_hand.top, at_hand.left, at_hand.lung, at_hand.tissue) == (
        alone.top,
        alone.left,
        alone.lung,
        alone.tissue,
    )
