"""The overview: what is reduced once for the body and for the gate."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.imaging.body import find_body
from hilum.imaging.overview import OVERVIEW_SIDE, overview_of, size_within
from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import SOFT_TISSUE


@pytest.mark.parametrize(("height", "width"), [(480, 640), (640, 480), (80, 40), (33, 900), (160, 160)])
def test_the_long_side_is_the_same_for_every_picture(height: int, width: int) -> None:
    overview = overview_of(np.full((height, width), 90, np.uint8))
    assert max(overview.grey.shape) == OVERVIEW_SIDE
    assert overview.grey.shape == size_within((height, width), OVERVIEW_SIDE)[::-1]
    assert min(overview.grey.shape) == max(1, round(min(height, width) * overview.scale))
    assert overview.low == 90
    assert overview.span == pytest.approx(0, abs=1e-5)


def test_a_burned_in_mark_does_not_change_the_levels() -> None:
    picture = np.tile(np.linspace(20, 200, 320).astype(np.uint8), (320, 1))
    marked = picture.copy()
    marked[:8, :8] = 255
    assert overview_of(marked).span == pytest.approx(overview_of(picture).span, abs=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_it_says_on_which_scale_it_was_stretched(dtype: type) -> None:
    picture = np.tile(np.linspace(20, 200, 320), (320, 1)).astype(dtype)
    overview = overview_of(picture)
    assert overview.grey.min() == 0
    assert overview.grey.max() >= 254
    middle = overview.low + overview.span * overview.grey[80, 80] / 255
    assert middle == pytest.approx(picture[160, 160], abs=2)


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
