"""The objective: cross-entropy where the class is known, the summed probability where only several are ruled in."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.training.objective import AllowedClassesLoss, accuracy
from hilum.training.targets import balancing_weights

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 3, (40, 4)).astype(np.float32)


def loss(targets: np.ndarray, logits: np.ndarray, smoothing: float = 0.0) -> float:
    return float(AllowedClassesLoss(smoothing)(targets, logits))


@pytest.mark.parametrize("smoothing", [0.0, 0.05, 0.3])
def test_with_one_allowed_class_it_is_the_smoothed_cross_entropy(smoothing: float) -> None:
    targets = np.eye(4, dtype=np.float32)[RNG.integers(0, 4, 40)]
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)(targets, LOGITS)
    assert loss(targets, LOGITS, smoothing) == pytest.approx(float(expected), rel=1e-5)


def test_a_coarse_target_costs_the_log_of_the_summed_probability() -> None:
    targets = np.tile(np.array([1, 1, 0, 1], np.float32), (40, 1))
    exponentials = np.exp(LOGITS)
    summed = exponentials[:, [0, 1, 3]].sum(1) / exponentials.sum(1)
    assert loss(targets, LOGITS) == pytest.approx(-np.log(summed).mean(), rel=1e-5)


def test_a_coarse_target_does_not_say_which_of_its_classes() -> None:
    targets = np.array([[1, 1, 0, 1]], np.float32)
    one, other = np.array([[5, 0, 1, 0]], np.float32), np.array([[0, 0, 1, 5]], np.float32)
    assert loss(targets, one) == pytest.approx(loss(targets, other))


def test_a_hopeless_answer_has_a_finite_loss() -> None:
    targets = np.array([[1, 0, 0, 0]], np.float32)
    assert loss(targets, np.array([[-500, 500, 0, 0]], np.float32)) == pytest.approx(1000, rel=1e-3)


def test_an_answer_counts_as_right_where_it_is_allowed() -> None:
    targets = np.array([[1, 1, 0], [0, 0, 1], [0, 1, 0]], np.float32)
    logits = np.array([[0, 9, 1], [0, 1, 0.5], [0, 1, 0]], np.float32)
    assert keras.ops.convert_to_numpy(accuracy(targets, logits)).tolist() == [1, 0, 1]


@settings(deadline=None)
@given(st.lists(st.sampled_from([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0)]), min_size=3, max_size=40))
def test_each_class_present_carries_the_same_weight(rows: list[tuple[int, int, int]]) -> None:
    targets = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), *rows], np.float32)
    shares = targets / targets.sum(1, keepdims=True)
    weights = balancing_weights(targets)
    assert (weights > 0).all()
    exact = shares[targets.sum(1) == 1]
    if len(exact) == len(targets):
        assert shares.T @ weights == pytest.approx(np.full(3, len(targets) / 3), rel=1e-4)
