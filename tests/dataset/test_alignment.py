"""A slice is recognised under another crop, and another slice is not."""

from __future__ import annotations

import numpy as np
import pytest
from dataset_samples import draw_distinct

from hilum.dataset import neighbours
from hilum.dataset.alignment import ALIGNED_COPY, aligned_cosine, best_twins
from hilum.dataset.groups import NEAR_COPY, fingerprint_of
from hilum.dataset.neighbours import nearest_few, unit_vectors


def cropped(seed: int) -> np.ndarray:
    """The phantom cut into its body, by different shares on each side."""
    picture = draw_distinct(seed)
    rows, columns = np.flatnonzero(picture.max(axis=1) > 60), np.flatnonzero(picture.max(axis=0) > 60)
    return picture[rows[0] + 2 : rows[-1] - 1, columns[0] + 1 : columns[-1] - 3]


def test_a_slice_under_another_crop_fits_and_others_do_not() -> None:
    whole = np.stack([fingerprint_of(draw_distinct(seed)) for seed in range(8)])
    cut = np.stack([fingerprint_of(cropped(seed)) for seed in range(8)])
    as_they_are = np.einsum("ij,ij->i", unit_vectors(whole), unit_vectors(cut))
    assert (as_they_are < NEAR_COPY).any()
    assert all(aligned_cosine(a, b) > ALIGNED_COPY for a, b in zip(cut, whole, strict=True))
    assert all(aligned_cosine(cut[i], whole[j]) < ALIGNED_COPY for i in range(8) for j in range(8) if i != j)


def test_finds_the_best_fit_of_each() -> None:
    whole = np.stack([fingerprint_of(draw_distinct(seed)) for seed in range(8)])
    cut = np.stack([fingerprint_of(cropped(seed)) for seed in (5, 2)])
    seen: list[tuple[int, int]] = []
    twins = best_twins(cut, whole, progress=lambda done, of: seen.append((done, of)))
    assert [(twin.left, twin.right) for twin in twins] == [(0, 5), (1, 2)]
    assert all(twin.aligned >= twin.cosine for twin in twins)
    assert seen == [(2, 2)]


@pytest.mark.parametrize("other", [np.zeros(6912, np.uint8), np.full(6912, 9, np.uint8)])
def test_blank_pictures_fit_nothing(other: np.ndarray) -> None:
    assert aligned_cosine(other, fingerprint_of(draw_distinct(1))) < 0.5
    assert aligned_cosine(other, other) < 0.5


@pytest.mark.parametrize("block", [1, 2, 100])
def test_the_nearest_few_come_nearest_first(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK", block)
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 255, (5, 30), dtype=np.uint8), rng.integers(0, 255, (9, 30), dtype=np.uint8)
    cosines = np.corrcoef(left, right)[:5, 5:]
    rows, found = nearest_few(left, right, 3)
    assert (rows == np.argsort(-cosines, axis=1)[:, :3]).all()
    assert found == pytest.approx(-np.sort(-cosines, axis=1)[:, :3], abs=1e-5)
    rows, _ = nearest_few(left, right[:2], 3)
    assert (rows[:, 2] == -1).all()
