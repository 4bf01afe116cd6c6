"""The linear head in numpy: the objective of the full training, a fit that repeats, and a start that is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hilum.training.fit_settings import FitSettings, head_settings
from hilum.training.linear_head import LinearHead, _objective, fit_linear_head
from hilum.training.objective import AllowedClassesLoss

SETTINGS = FitSettings(epochs=30, learning_rate=2e-2, label_smoothing=0.0)


def clouds(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(2, N, 6) two views of points of three classes, and their targets."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    points = 3 * np.eye(3, 6)[labels] + 5 + rng.normal(0, 0.5, (2, n, 6))
    return points.astype(np.float32), np.eye(3, dtype=np.float32)[labels]


def accuracy(head: LinearHead, features: np.ndarray, targets: np.ndarray) -> float:
    return float((head.logits(features).argmax(axis=1) == targets.argmax(axis=1)).mean())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_minimises_what_a_full_training_does(smoothing: float) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 3, (20, 4)).astype(np.float32)
    targets = (rng.random((20, 4)) < 0.4).astype(np.float32)
    targets[np.arange(20), rng.integers(0, 4, 20)] = 1
    losses, slope, _ = _objective(logits, targets, smoothing)
    assert losses.mean() == pytest.approx(float(AllowedClassesLoss(smoothing)(targets, logits)), rel=1e-5)
    step = 1e-3
    for column in range(4):
        moved = logits.astype(np.float64)
        moved[:, column] += step
        raised = _objective(moved, targets, smoothing)[0]
        assert (raised - losses) / step == pytest.approx(slope[:, column], abs=5e-3)


def test_a_head_is_learnt_and_the_best_epochs_is_kept() -> None:
    features, targets = clouds(60, 1)
    others, their_targets = clouds(40, 2)
    fitted = fit_linear_head(features, targets, (others[0], their_targets), SETTINGS)
    assert accuracy(fitted.head, others[0], their_targets) > 0.95
    best = fitted.history[fitted.best_epoch - 1]
    assert best["val_loss"] == min(row["val_loss"] for row in fitted.history)
    assert best["val_accuracy"] == pytest.approx(accuracy(fitted.head, others[0], their_targets))


def test_the_fit_stops_when_patience_ends() -> None:
    features, targets = clouds(30, 3)
    wrong = np.roll(targets, 1, axis=1)
    fitted = fit_linear_head(features, targets, (features[0], wrong), replace(SETTINGS, patience=2))
    assert len(fitted.history) < SETTINGS.epochs


def test_a_seed_repeats() -> None:
    features, targets = clouds(30, 4)
    one, two = (fit_linear_head(features, targets, None, SETTINGS).head for _ in range(2))
    np.testing.assert_array_equal(one.kernel, two.kernel)


def test_a_fit_without_a_rate_leaves_the_start_as_it_is() -> None:
    features, targets = clouds(30, 5)
    rng = np.random.default_rng(6)
    start = LinearHead(rng.normal(0, 1, (6, 3)).astype(np.float32), rng.normal(0, 1, 3).astype(np.float32))
    settings = replace(head_settings(1, starts_warm=True), learning_rate=0.0)
    kept = fit_linear_head(features, targets, None, settings, start=start).head
    np.testing.assert_allclose(kept.logits(features[0]), start.logits(features[0]), atol=1e-4)


def test_slices_that_are_not_chosen_teach_nothing() -> None:
    features, targets = clouds(60, 7)
    chosen = np.random.default_rng(8).permutation(60)[:35]
    one = fit_linear_head(features, targets, None, SETTINGS, slices=chosen).head
    two = fit_linear_head(features[:, chosen], targets[chosen], None, SETTINGS).head
    np.testing.assert_array_equal(one.kernel, two.kernel)
    np.testing.assert_array_equal(one.bias, two.bias)
