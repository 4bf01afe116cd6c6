"""Phantoms are drawn alike everywhere, and look enough like a chest for the code that meets them."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from hilum.imaging.phantoms import draw_phantom


@pytest.mark.parametrize(("seed", "digest"), [(0, "4be6e6ac160d97e1"), (3, "3f6ba7055faae18b")])
def test_a_seed_gives_the_same_picture_on_every_machine(seed: int, digest: str) -> None:
    # bundles carry golden predictions for these pictures: changing a pixel disowns every bundle released before
    assert hashlib.sha256(draw_phantom(seed).tobytes()).hexdigest()[:16] == digest


def test_seeds_give_different_pictures() -> None:
    pictures = {draw_phantom(seed, side=128).tobytes() for seed in range(8)}
    assert len(pictures) == 8


@pytest.mark.parametrize("side", [64, 200, 512])
def test_any_side_shows_air_lung_tissue_and_bone(side: int) -> None:
    picture = draw_phantom(4, side=side)
    assert picture.shape == (side, side)
    assert picture.dtype == np.uint8
    air, lung, tissue, bone = (
        float(share.mean())
        for share in (picture == 0, np.abs(picture - 30.0) < 6, np.abs(picture - 130.0) < 14, picture > 180)
    )
    assert air > 0.2
    assert lung > 0.1
    assert tissue > 0.1
    assert 0.001 < bone < 0.05


def test_a_mass_is_drawn_on_request_and_by_default_for_odd_seeds() -> None:
    plain, with_mass = draw_phantom(6, with_mass=False), draw_phantom(6, with_mass=True)
    lung_lost = (plain < 60) & (with_mass > 100)
    assert 0.001 < lung_lost.mean() < 0.02
    assert np.array_equal(draw_phantom(6), plain)
    assert np.array_equal(draw_phantom(7), draw_phantom(7, with_mass=True))
