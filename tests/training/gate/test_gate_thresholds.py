"""Where a gate refuses and where it warns: few slices show little, so few of them may be refused."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.evaluation import share_figure
from hilum.training.gate.thresholds import REFUSED_AT_WORST, choose_thresholds, most_refused


def test_thresholds_follow_the_scores_of_chest_slices() -> None:
    scores = np.linspace(0.1, 1, 1001)
    refuse, unusual = choose_thresholds(scores)
    assert (scores < refuse).sum() == most_refused(1001)
    assert unusual == pytest.approx(0.127, abs=1e-3)


def test_however_easy_the_slices_are_a_picture_is_not_refused_for_little() -> None:
    assert choose_thresholds(np.full(500, 0.99)) == (0.3, 0.9)


@pytest.mark.parametrize(("n", "refused"), [(100, 0), (743, 3), (5000, 44)])
def test_the_fewer_slices_the_smaller_the_share_that_is_refused(n: int, refused: int) -> None:
    scores = np.random.default_rng(0).beta(3, 1, n)
    refuse, _ = choose_thresholds(scores)
    assert (scores < refuse).sum() == refused


@pytest.mark.parametrize("n", [743, 5000])
def test_one_more_would_be_too_many(n: int) -> None:
    assert (share_figure(most_refused(n), n).high or 1) <= REFUSED_AT_WORST
    assert (share_figure(most_refused(n) + 1, n).high or 1) > REFUSED_AT_WORST
