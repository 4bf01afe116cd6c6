"""The body's quick figures are those of the plain computation, to the last bit: the model was trained on them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.imaging.body import _row_ends
from hilum.imaging.histogram import histogram, percentile


@given(st.lists(st.integers(0, 255), min_size=1, max_size=300), st.sampled_from([0.5, 2, 50, 99.5]))
def test_a_percentile_of_counts_is_numpys(values: list[int], percent: float) -> None:
    grey = np.array([values], np.uint8)
    assert percentile(histogram(grey), percent) == np.percentile(grey, percent)


@pytest.mark.parametrize("seed", range(20))
def test_the_hull_of_the_row_ends_is_the_hull_of_all_points(seed: int) -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(90, 120)), (0, 0), 9)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((noise > 0).astype(np.uint8), connectivity=4)
    label = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    assert count > 1
    x, y, w, h = (int(v) for v in stats[label, :4])
    component = (labels[y : y + h, x : x + w] == label).astype(np.uint8)
    plain = cv2.fillConvexPoly(np.zeros_like(component), cv2.convexHull(cv2.findNonZero(component)), 255)
    quick = cv2.fillConvexPoly(np.zeros_like(component), cv2.convexHull(_row_ends(component)), 255)
    np.testing.assert_array_equal(quick, plain)
