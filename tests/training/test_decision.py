"""What held-out answers teach: no more confidence than they support."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.training.decision import decide, operating_point


def two_class(confidence: list[float]) -> np.ndarray:
    return np.array([[value, 1 - value] for value in confidence])


def test_the_operating_point_is_where_held_out_slices_become_reliable() -> None:
    probabilities = two_class([0.99, 0.95, 0.9, 0.8, 0.7, 0.6])
    assert operating_point(probabilities, np.array([0, 0, 0, 0, 1, 0])) == pytest.approx(0.8)
    assert operating_point(probabilities, np.array([0, 0, 0, 0, 0, 0])) == pytest.approx(0.6)


def test_a_model_that_is_always_wrong_is_confident_of_nothing() -> None:
    assert operating_point(two_class([0.9, 0.8, 0.7]), np.array([1, 1, 1])) == 0.99


def test_equally_confident_answers_are_on_the_same_side() -> None:
    assert operating_point(two_class([0.95, 0.8, 0.8, 0.8]), np.array([0, 0, 1, 1])) == pytest.approx(0.95)


@given(st.lists(st.tuples(st.floats(0.5, 0.989), st.booleans()), min_size=1, max_size=80))
def test_above_the_operating_point_the_promise_is_kept(slices: list[tuple[float, bool]]) -> None:
    confidence, right = zip(*slices, strict=True)
    probabilities = two_class(list(confidence))
    labels = np.where(right, probabilities.argmax(axis=1), 1 - probabilities.argmax(axis=1))
    threshold = operating_point(probabilities, labels)
    is_confident = probabilities.max(axis=1) >= threshold
    assert 0.5 <= threshold <= 0.99
    assert not is_confident.any() or np.array(right)[is_confident].mean() >= 0.97


def test_held_out_slices_never_sharpen_the_answers() -> None:
    labels = np.arange(400) % 4
    timid = np.eye(4, dtype=np.float32)[labels] * 2  # always right, and unsure of it
    decision = decide(timid, labels)
    assert decision.temperature == 1
    assert decision.accuracy == 1
    assert decision.n == 400


def test_boastful_answers_are_softened() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 400)
    answered = np.where(rng.random(400) < 0.7, labels, (labels + 1) % 4)
    assert decide(np.eye(4, dtype=np.float32)[answered] * 20, labels).temperature > 3


def test_the_prediction_set_holds_the_true_class_as_often_as_promised() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (3000, 4)).astype(np.float32)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([rng.choice(4, p=row) for row in probabilities])
    decision = decide(logits, labels)
    held = (probabilities[np.arange(3000), labels] >= decision.set_above).mean()
    assert held == pytest.approx(0.98, abs=0.005), "and not much more often: a set of all classes says nothing"
