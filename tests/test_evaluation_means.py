"""Means and shares carry intervals that agree with those of a whole evaluation, and are never falsely narrow."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.evaluation import evaluate, mean_figure, share_figure


def test_the_mean_of_right_answers_is_the_accuracy_with_its_interval() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    probabilities = rng.dirichlet((1, 1, 1), 90) * 0.5 + 0.5 * np.eye(3)[labels]
    whole = evaluate(probabilities, labels, ("a", "b", "c")).accuracy
    assert mean_figure(probabilities.argmax(1) == labels) == whole


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    values = np.random.default_rng(1).normal(5, 2, 100)
    half = 1.96 * values.std() / 10
    figure = mean_figure(values, n_bootstrap=20_000)
    assert (figure.value, figure.n) == (pytest.approx(values.mean()), 100)
    assert (figure.low, figure.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.04 * half)


def test_every_value_may_be_drawn() -> None:
    for place in range(3):
        figure = mean_figure(np.eye(3)[place])
        assert (figure.low, figure.high) == (0, 1), "one image in three: it may be drawn never and always"


@pytest.mark.parametrize(
    ("value", "within", "low", "high"),
    [
        (1, (0, 1), 0.8389, 1.0),  # Wilson's of 20 of 20
        (0, (0, 1), 0.0, 0.1611),  # and of 0 of 20
        (0, (-1, 1), -0.1611, 0.1611),  # Tango's of 20 pairs, none of which changed
        (1, (-1, 1), 0.6777, 1.0),  # and of 20 that were all lost
        (1, (1, 4), 1.0, 1.4834),  # sets of one class of four: never smaller, 16 % may be larger
    ],
)
def test_values_that_are_all_the_same_leave_others_possible(
    value: float, within: tuple[float, float], low: float, high: float
) -> None:
    figure = mean_figure([value] * 20, within=within)
    assert (figure.value, figure.n) == (value, 20)
    assert (figure.low, figure.high) == pytest.approx((low, high), abs=5e-4)


@pytest.mark.parametrize(("n", "changed"), [(20, 0), (20, 20), (315, 0)])
def test_differences_of_pairs_have_tangos_interval(n: int, changed: int) -> None:
    """His equation, with b pairs lost and none gained: (b - n d)^2 = z^2 n (2 q + d (1 - d)), q the likeliest gain."""
    figure = mean_figure(np.arange(n) < changed, within=(-1, 1))
    bound = figure.high if not changed else figure.low
    assert bound is not None
    gain = ((2 * n - changed) * bound - changed) / (2 * n)
    q = (abs(gain) - gain) / 2
    z = abs(changed - n * bound) / np.sqrt(n * (2 * q + bound * (1 - bound)))
    assert z == pytest.approx(1.959964, rel=1e-6)


def test_nothing_has_no_mean() -> None:
    for figure in (mean_figure([]), share_figure(0, 0)):
        assert (figure.value, figure.low, figure.high, figure.n) == (None, None, None, 0)
    assert share_figure(1, 1).value == 1


@pytest.mark.parametrize(
    ("count", "n", "low", "high"), [(12, 54, 0.1320, 0.3497), (0, 20, 0.0, 0.1611), (20, 20, 0.8389, 1.0)]
)
def test_shares_have_wilsons_interval(count: int, n: int, low: float, high: float) -> None:
    figure = share_figure(count, n)
    assert (figure.value, figure.n) == (count / n, n)
    assert (figure.low, figure.high) == pytest.approx((low, high), abs=5e-4)
