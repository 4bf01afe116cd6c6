"""Calibrated probabilities are probabilities, and the temperature found is the one that was planted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from hilum.inference.calibration import (
    calibrated_probabilities,
    conformal_threshold,
    fit_temperature,
    prediction_set,
)

Logits = NDArray[np.float32]
any_logits = arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(2, 6)),
    elements=st.floats(-1e4, 1e4, width=32),
)
temperatures = st.floats(0.05, 20)


@given(logits=any_logits, temperature=temperatures)
def test_rows_are_probabilities(logits: Logits, temperature: float) -> None:
    probabilities = calibrated_probabilities(logits, temperature)
    assert probabilities.shape == logits.shape
    assert (probabilities >= 0).all()
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-12)


@given(logits=any_logits, temperature=temperatures)
def test_no_temperature_changes_the_order_of_classes(logits: Logits, temperature: float) -> None:
    probabilities = calibrated_probabilities(logits, temperature)
    rows = np.arange(len(logits))
    assert np.array_equal(probabilities[rows, logits.argmax(axis=1)], probabilities.max(axis=1))


@given(logits=any_logits, temperature=temperatures, shift=st.integers(-500, 500))
def test_only_differences_of_logits_matter(logits: Logits, temperature: float, shift: int) -> None:
    shifted = calibrated_probabilities(logits.astype(np.float64) + shift, temperature)  # type: ignore[arg-type]
    assert shifted == pytest.approx(calibrated_probabilities(logits, temperature), abs=1e-6)


@given(logits=any_logits, temperature=st.floats(0.1, 5))
def test_a_higher_temperature_is_never_surer(logits: Logits, temperature: float) -> None:
    cool, warm = (calibrated_probabilities(logits, t).max(axis=1) for t in (temperature, 2 * temperature))
    assert (warm <= cool + 1e-12).all()


@pytest.mark.parametrize("planted", [0.3, 1.0, 2.5, 8.0])
def test_a_planted_temperature_is_recovered(planted: float) -> None:
    rng = np.random.default_rng(7)
    logits = (planted * rng.normal(0, 2, (6000, 4))).astype(np.float32)
    chances = calibrated_probabilities(logits, planted)
    labels = np.array([rng.choice(4, p=row) for row in chances])
    assert fit_temperature(logits, labels) == pytest.approx(planted, rel=0.06)


@pytest.mark.parametrize("seed", range(6))
def test_the_temperature_found_is_the_best_to_a_thousandth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, (150, 4)).astype(np.float32)
    labels = np.where(rng.random(150) < 0.3 + seed / 10, logits.argmax(axis=1), rng.integers(0, 4, 150))

    def loss(exponent: float) -> float:
        chances = calibrated_probabilities(logits, float(np.exp(exponent)))
        return float(-np.log(chances[np.arange(150), labels]).mean())

    best = np.exp(minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-7}).x)
    assert fit_temperature(logits, labels) == pytest.approx(best, rel=1e-3)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 60), spread=st.floats(0.01, 50))
def test_the_fit_is_never_worse_than_no_calibration(seed: int, n: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, spread, (n, 3)).astype(np.float32)
    labels = rng.integers(0, 3, n)

    def loss(temperature: float) -> float:
        return float(-np.log(calibrated_probabilities(logits, temperature)[np.arange(n), labels] + 1e-12).mean())

    temperature = fit_temperature(logits, labels)
    assert 0.05 <= temperature <= 20
    assert loss(temperature) <= loss(1.0) * (1 + 1e-3) + 1e-9


@pytest.mark.parametrize(("labels", "bound"), [([0, 1, 2], 0.05), ([1, 2, 0], 20.0)])
def test_slices_all_right_or_all_wrong_give_a_temperature_at_the_bound(labels: list[int], bound: float) -> None:
    logits = 2 * np.eye(3, dtype=np.float32)
    assert fit_temperature(logits, np.array(labels)) == pytest.approx(bound, rel=0.05)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), coverage=st.sampled_from([0.8, 0.9, 0.95]))
def test_prediction_sets_cover_new_slices_as_often_as_promised(seed: int, coverage: float) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet((1, 1, 1, 1), 6000)
    labels = np.array([rng.choice(4, p=row) for row in probabilities])
    threshold = conformal_threshold(probabilities[:3000], labels[:3000], coverage)
    covered = [
        label in prediction_set(row, threshold) for row, label in zip(probabilities[3000:], labels[3000:], strict=True)
    ]
    assert np.mean(covered) >= coverage - 0.03


def test_the_threshold_is_the_quantile_of_split_conformal_prediction() -> None:
    of_true_class = np.arange(1, 20) / 20
    probabilities = np.column_stack([of_true_class, 1 - of_true_class])
    labels = np.zeros(19, np.int64)
    assert conformal_threshold(probabilities, labels, 0.9) == pytest.approx(0.10)  # 2 of 20 ranks lie below
    assert conformal_threshold(probabilities, labels, 0.99) == 0  # 19 slices cannot promise it: every class is in


@pytest.mark.parametrize(("n", "threshold"), [(8, 0.0), (9, 0.1), (10, 0.1), (19, 0.2)])
def test_nine_slices_are_the_fewest_that_can_promise_nine_in_ten(n: int, threshold: float) -> None:
    of_true_class = np.arange(1, n + 1) / 10
    probabilities = np.stack([of_true_class, 1 - of_true_class], axis=1)
    assert conformal_threshold(probabilities, np.zeros(n, np.int64), 0.9) == pytest.approx(threshold)


def test_a_set_is_never_empty_and_lists_the_most_probable_first() -> None:
    probabilities = np.array([0.2, 0.5, 0.3])
    assert prediction_set(probabilities, 0.9).tolist() == [1]
    assert prediction_set(probabilities, 0.3).tolist() == [1, 2]
    assert prediction_set(probabilities, 0.0).tolist() == [1, 2, 0]
