"""The poison trial on features made up: flips are refused, a clean upload is let through, and seeds repeat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench.poison import Champion, try_upload
from poison_images import SIZE, images

from hilum.inference.bundle import open_bundle
from hilum.training.linear_head import LinearHead
from hilum.training.parent import Parent


@pytest.fixture(scope="module")
def champion(tiny_bundle: Path) -> Champion:
    """It knows the clouds' directions, and a bundle's classes and thresholds."""
    learnt = images(300, 1, 60)
    parent = Parent(
        tiny_bundle, open_bundle(tiny_bundle).manifest, frozenset(one.record.sha256 for one in learnt.slices)
    )
    head = LinearHead(2 * np.eye(SIZE, 4, dtype=np.float32), np.zeros(4, np.float32))
    return Champion(parent, head, learnt, images(300, 2, 75))


def test_flipped_labels_are_refused_and_clean_ones_are_not(champion: Champion) -> None:
    for seed in range(3):
        clean, poisoned = (try_upload(champion, share=share, seed=seed, n_uploads=120) for share in (0.0, 0.3))
        assert (clean.failed, clean.n_flipped) == ((), 0)
        assert "new-labels" in poisoned.failed
        assert 0.15 < poisoned.n_flipped / poisoned.n_uploaded < 0.45
        assert clean.n_uploaded == poisoned.n_uploaded
        assert clean.n_uploaded + clean.n_test == 300


def test_a_seed_repeats(champion: Champion) -> None:
    first, again = (try_upload(champion, share=0.2, seed=7, n_uploads=80) for _ in range(2))
    assert first == again
