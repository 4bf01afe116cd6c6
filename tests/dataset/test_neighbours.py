"""The pairs and neighbours found are those that the whole matrix of cosines holds."""

from __future__ import annotations

import numpy as np
import pytest
from dataset_samples import draw_distinct

from hilum.dataset import neighbours
from hilum.dataset.groups import fingerprint_of
from hilum.dataset.neighbours import near_pairs, nearest, unit_vectors


@pytest.mark.parametrize("block", [1, 3, 4, 100])
def test_blocks_find_what_the_whole_matrix_holds(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 255, (10, 8), dtype=np.uint8), rng.integers(0, 255, (7, 8), dtype=np.uint8)
    monkeypatch.setattr(neighbours, "_BLOCK", block)

    def pairs(a: np.ndarray, b: np.ndarray | None) -> set[tuple[int, int]]:
        found = [np.stack((rows, columns), axis=1) for rows, columns, _ in near_pairs(a, b, threshold=0.3)]
        return {(i, j) for i, j in np.concatenate(found).tolist()}

    cosines = np.corrcoef(left, right)
    within = cosines[:10, :10]
    assert pairs(left, None) == {(i, j) for i in range(10) for j in range(i + 1, 10) if within[i, j] > 0.3}
    across = cosines[:10, 10:]
    assert pairs(left, right) == {(i, j) for i in range(10) for j in range(7) if across[i, j] > 0.3}


def test_blank_pictures_are_no_copies_of_anything() -> None:
    blank = np.stack([fingerprint_of(np.full((64, 64), grey, np.uint8)) for grey in (0, 90)])
    assert not any(rows.size for rows, *_ in near_pairs(blank, threshold=0.95))


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("sparse", [0.0, 1.0])
def test_the_coarse_bound_loses_no_pair(monkeypatch: pytest.MonkeyPatch, threshold: float, sparse: float) -> None:
    rng = np.random.default_rng(3)
    drawn = [draw_distinct(seed) for seed in range(25)]
    noisy = [np.clip(p + rng.normal(0, 12, p.shape), 0, 255).astype(np.uint8) for p in drawn for _ in range(2)]
    prints = np.stack([fingerprint_of(p) for p in drawn + noisy])
    monkeypatch.setattr(neighbours, "_BLOCK", 32)
    monkeypatch.setattr(neighbours, "_SPARSE", sparse)
    found = {
        (int(i), int(j)): float(cosine)
        for rows, columns, cosines in near_pairs(prints, threshold=threshold)
        for i, j, cosine in zip(rows, columns, cosines, strict=True)
    }
    whole = np.corrcoef(prints.astype(np.float64))
    rows, columns = np.nonzero(np.triu(whole > threshold, k=1))
    assert set(found) == set(zip(rows.tolist(), columns.tolist(), strict=True))
    assert found
    assert all(abs(cosine - whole[pair]) < 1e-4 for pair, cosine in found.items())


def test_the_bound_is_never_below_the_cosine() -> None:
    prints = np.stack([fingerprint_of(draw_distinct(seed)) for seed in range(30)])
    bounds = neighbours._bound_vectors(prints)
    units = unit_vectors(prints)
    assert (bounds @ bounds.T >= units @ units.T - 1e-5).all()


@pytest.mark.parametrize("block", [1, 4, 100])
def test_nearest_neighbours(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 255, (10, 8), dtype=np.uint8), rng.integers(0, 255, (7, 8), dtype=np.uint8)
    right[2] = left[5]
    monkeypatch.setattr(neighbours, "_BLOCK", block)
    cosines = np.corrcoef(left, right)
    within = cosines[:10, :10] - 3 * np.eye(10)
    found, highest = nearest(left)
    assert (found == within.argmax(axis=1)).all()
    assert highest == pytest.approx(within.max(axis=1), abs=1e-5)
    across = np.where(cosines[:10, 10:] >= 0.999, -1, cosines[:10, 10:])
    found, _ = nearest(left, right, below=0.999)
    assert (found == across.argmax(axis=1)).all()


def test_where_no_neighbour_is_left() -> None:
    found, highest = nearest(np.array([[1, 2, 3]], np.uint8))
    assert (found.tolist(), highest.tolist()) == ([-1], [-1.0])
