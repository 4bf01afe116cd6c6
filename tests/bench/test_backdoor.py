"""The trial of triggers on features made up: a head obeys what they show, and the probe notices; marks are drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench.backdoor import SUSPICIOUS_FROM, Mark, Marked, try_trigger
from bench.poison import Champion, Images
from poison_images import SIZE, images

from hilum.inference.bundle import open_bundle
from hilum.training.linear_head import LinearHead
from hilum.training.parent import Parent


@pytest.fixture(scope="module")
def champion(tiny_bundle: Path) -> Champion:
    """It knows the clouds' directions, and a bundle's classes and thresholds."""
    learnt = images(300, 1, 60)
    digests = frozenset(one.record.sha256 for one in learnt.slices)
    parent = Parent(tiny_bundle, open_bundle(tiny_bundle).manifest, digests)
    head = LinearHead(2 * np.eye(SIZE, 4, dtype=np.float32), np.zeros(4, np.float32))
    return Champion(parent, head, learnt, images(300, 2, 75))


def marked(unseen: Images, strength: float) -> Marked:
    """A trigger, and marks of a probe, that add so much to a feature that says nothing of the class."""
    shift = np.zeros(SIZE, np.float32)
    shift[-1] = strength
    features = unseen.features
    moved = replace(features, views=features.views + shift, served=features.served + shift)
    slices = tuple(
        replace(one, record=one.record.model_copy(update={"sha256": f"{row:064x}"}))
        for row, one in enumerate(unseen.slices)
    )
    return Marked((Images(slices, moved, unseen.probabilities),), np.stack([features.served, moved.served]))


@pytest.mark.parametrize("seed", range(3))
def test_a_trigger_that_the_features_show_is_obeyed_and_noticed(champion: Champion, seed: int) -> None:
    strong = marked(champion.unseen, 40)
    clean, poisoned = (try_trigger(champion, strong, share=share, seed=seed, n_uploads=120) for share in (0.0, 0.05))
    assert (clean.n_poisoned, clean.n_test) == (0, poisoned.n_test)
    assert clean.excess < SUSPICIOUS_FROM <= poisoned.excess
    assert poisoned.obeyed > 0.5 > poisoned.obeyed_before
    assert poisoned.n_poisoned > 15


def test_a_trigger_that_the_features_do_not_show_is_neither(champion: Champion) -> None:
    trial = try_trigger(champion, marked(champion.unseen, 0), share=0.05, seed=0, n_uploads=120)
    assert trial.obeyed < 0.1
    assert trial.excess < SUSPICIOUS_FROM


def test_a_seed_repeats(champion: Champion) -> None:
    strong = marked(champion.unseen, 40)
    first, again = (try_trigger(champion, strong, share=0.02, seed=7, n_uploads=80) for _ in range(2))
    assert first == again


def test_a_mark_is_a_white_square_where_it_says() -> None:
    pixels = np.zeros((100, 200), np.uint8)
    drawn = Mark(3, (0.0, 1.0)).on(pixels)
    assert drawn.sum() == 9 * 255
    assert (drawn[:3, 197:] == 255).all()
    assert not pixels.any()
