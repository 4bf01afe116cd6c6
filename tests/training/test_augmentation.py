"""Variants of a slice stay slices; without strength they are the slice that is served."""

from __future__ import annotations

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import SOFT_TISSUE, preprocess
from hilum.training.augmentation import BASE_SCALE, Augmentation

NONE = Augmentation(**{field.name: 0.0 for field in fields(Augmentation)})


def base_of(seed: int, side: int) -> np.ndarray:
    """A preprocessed slice as training keeps it."""
    larger = preprocess(draw_phantom(seed), SOFT_TISSUE.model_copy(update={"side": round(side * BASE_SCALE)}))
    return np.rint(larger[..., 0] * 255).astype(np.uint8)


@pytest.mark.parametrize("side", [128, 256])
@pytest.mark.parametrize("seed", range(3))
def test_without_strength_a_variant_is_the_served_slice(seed: int, side: int) -> None:
    served = preprocess(draw_phantom(seed), SOFT_TISSUE.model_copy(update={"side": side}))[..., 0]
    variant = NONE.apply(base_of(seed, side), side, np.random.default_rng(0))
    assert np.abs(variant - served).mean() < 2.5 / 255  # resampled twice, so edges differ by more
    assert np.corrcoef(variant.ravel(), served.ravel())[0, 1] > 0.998  # shifted by a pixel it would be 0.95


def test_without_strength_only_chance_free_code_runs() -> None:
    base = base_of(1, 64)
    variants = [NONE.apply(base, 64, np.random.default_rng(seed)) for seed in range(5)]
    assert all(np.array_equal(variants[0], other) for other in variants[1:])


def test_the_same_seed_gives_the_same_variant() -> None:
    base = base_of(1, 64)
    first, again, other = (Augmentation().apply(base, 64, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), side=st.sampled_from([32, 64, 96]), strength=st.floats(0, 1))
def test_every_variant_is_a_slice(seed: int, side: int, strength: float) -> None:
    augmentation = Augmentation(flip=strength, window=strength, texture=strength, erase=strength, gamma=strength)
    variant = augmentation.apply(base_of(seed % 4, side), side, np.random.default_rng(seed))
    assert variant.shape == (side, side)
    assert variant.dtype == np.float32
    assert 0 <= variant.min() <= variant.max() <= 1


def test_a_certain_flip_mirrors_left_and_right() -> None:
    base = base_of(3, 64)
    flip = Augmentation(**{field.name: float(field.name == "flip") for field in fields(Augmentation)})
    plain = NONE.apply(base, 64, np.random.default_rng(0))
    assert np.abs(flip.apply(base, 64, np.random.default_rng(0)) - plain[:, ::-1]).max() < 0.02


@pytest.mark.parametrize("part", ["window", "texture", "gamma"])
def test_grey_values_change_inside_the_body_only(part: str) -> None:
    strength = {field.name: float(field.name == part) for field in fields(Augmentation)}
    base = np.zeros((96, 96), np.uint8)
    base[24:72, 24:72] = 150
    for seed in range(10):
        variant = Augmentation(**strength).apply(base, 64, np.random.default_rng(seed))
        assert variant[:10].max() == 0


def test_erasing_blanks_one_rectangle() -> None:
    strength = {field.name: float(field.name == "erase") for field in fields(Augmentation)}
    base = base_of(2, 64)
    plain = NONE.apply(base, 64, np.random.default_rng(0))
    for seed in range(8):
        changed = Augmentation(**strength).apply(base, 64, np.random.default_rng(seed)) != plain
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        assert 0 < np.ptp(rows) < 64 // 3
        assert 0 < np.ptp(columns) < 64 // 3


def test_a_slice_takes_over_the_tone_of_another_and_keeps_its_shape() -> None:
    strength = {field.name: float(field.name == "tone") for field in fields(Augmentation)}
    base = base_of(2, 64)
    bright = np.where(base > 5, base // 2 + 120, base).astype(np.uint8)
    plain = NONE.apply(base, 64, np.random.default_rng(0))
    target = NONE.apply(bright, 64, np.random.default_rng(0))
    for seed in range(5):
        variant = Augmentation(**strength).apply(base, 64, np.random.default_rng(seed), bright)
        assert plain.mean() < variant.mean() <= target.mean() + 0.01
        assert np.corrcoef(variant.ravel(), target.ravel())[0, 1] > 0.9
        assert variant[plain == 0].mean() < 0.005
    untouched = Augmentation(**strength).apply(base, 64, np.random.default_rng(0))
    assert np.array_equal(untouched, plain)


def test_the_lungs_grow_or_shrink_and_the_outline_stays() -> None:
    strength = {field.name: 0.4 * (field.name == "lungs") for field in fields(Augmentation)}
    base = np.zeros((144, 144), np.uint8)
    cv2.circle(base, (72, 72), 70, 200, cv2.FILLED)
    cv2.circle(base, (72, 72), 35, 30, cv2.FILLED)
    plain = NONE.apply(base, 96, np.random.default_rng(0))
    variants = [Augmentation(**strength).apply(base, 96, np.random.default_rng(seed)) for seed in range(12)]
    shares = [float(((variant > 0.05) & (variant < 0.4)).mean()) for variant in variants]
    share = float(((plain > 0.05) & (plain < 0.4)).mean())
    assert min(shares) < 0.85 * share
    assert max(shares) > 1.15 * share
    assert all(((variant > 0) == (plain > 0)).mean() > 0.97 for variant in variants)


def test_a_window_is_what_preprocessing_gives_of_the_slice_in_that_window() -> None:
    strength = {field.name: float(field.name == "window") for field in fields(Augmentation)}
    base = base_of(1, 96)
    plain = NONE.apply(base, 96, np.random.default_rng(0))
    variants = [Augmentation(**strength).apply(base, 96, np.random.default_rng(seed)) for seed in range(40)]
    tissue = np.abs(plain - SOFT_TISSUE.tissue_level) < 0.02
    medians = [float(np.median(variant[tissue])) for variant in variants]
    assert np.abs(np.array(medians) - SOFT_TISSUE.tissue_level).max() < 0.15  # tissue is found again as the anchor
    assert all(variant[plain == 0].max() == 0 for variant in variants)
    assert len({variant.tobytes() for variant in variants}) > 20


def test_noise_is_fine_or_as_a_soft_kernel_shows_it() -> None:
    grey = np.full((96, 96), 120, np.uint8)
    textured = replace(NONE, texture=1.0)
    likeness = []
    for seed in range(40):
        variant = textured.apply(grey, 64, np.random.default_rng(seed))
        if variant.std() > 0.01:  # a blur leaves one grey as it is
            likeness.append(float(np.corrcoef(variant[:, 1:].ravel(), variant[:, :-1].ravel())[0, 1]))
    fine = [value for value in likeness if abs(value) < 0.1]
    coarse = [value for value in likeness if value > 0.5]
    assert fine
    assert coarse
    assert len(fine) + len(coarse) == len(likeness)
