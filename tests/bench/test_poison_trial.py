"""The poison trial on features made up: flips are refused, a clean upload is let through, and seeds repeat."""

from __future__ import annotations

import numpy as np
from bench.poison import Images, try_upload

CLASSES = ("one", "two", "three", "four")


def images(n: int, seed: int, n_groups: int) -> Images:
    """Four clouds, a class each; the champion is right on all but some."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n).astype(np.intp)
    features = (4 * np.eye(4, 30)[labels] + rng.normal(0, 1, (n, 30))).astype(np.float32)
    said = np.where(rng.random(n) < 0.02, (labels + 1) % 4, labels)
    probabilities = np.where(np.eye(4)[said] > 0, 0.97, 0.01)
    return Images(features, probabilities, labels, np.array([f"{seed}-{n % n_groups}" for n in range(n)]))


def test_flipped_labels_are_refused_and_clean_ones_are_not() -> None:
    learnt, unseen = images(300, 1, 60), images(300, 2, 75)
    for seed in range(3):
        clean, poisoned = (
            try_upload(learnt, unseen, CLASSES, share=share, seed=seed, n_uploads=120) for share in (0.0, 0.3)
        )
        assert (clean.failed, clean.n_flipped) == ((), 0)
        assert "new-labels" in poisoned.failed
        assert 0.15 < poisoned.n_flipped / poisoned.n_uploaded < 0.45
        assert clean.n_uploaded == poisoned.n_uploaded
        assert clean.n_uploaded + clean.n_test == 300


def test_a_seed_repeats() -> None:
    learnt, unseen = images(200, 1, 40), images(200, 2, 50)
    first, again = (try_upload(learnt, unseen, CLASSES, share=0.2, seed=7, n_uploads=80) for _ in range(2))
    assert first == again
