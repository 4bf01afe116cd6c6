"""Sketches keep the angles between fingerprints, and are the same on every machine."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from hilum.dataset.groups import fingerprint_of
from hilum.dataset.sketch import SAME_SLICE, SKETCH_SIZE, sketch_of
from hilum.imaging.phantoms import draw_phantom


def test_dot_products_are_the_cosines_of_the_fingerprints() -> None:
    fingerprints = np.stack([fingerprint_of(draw_phantom(seed)) for seed in range(20)])
    centred = fingerprints - fingerprints.mean(axis=1, keepdims=True)
    vectors = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    sketches = sketch_of(fingerprints)
    assert sketches.shape == (20, SKETCH_SIZE)
    assert np.linalg.norm(sketches, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.abs(sketches @ sketches.T - vectors @ vectors.T).max() < 0.2
    assert np.abs(sketches @ sketches.T - vectors @ vectors.T).mean() < 0.04


def test_a_slice_under_another_window_is_the_same_slice() -> None:
    whole = draw_phantom(5)
    first, second = sketch_of(np.stack([fingerprint_of(whole), fingerprint_of(whole.astype(np.float32) * 0.7 + 20)]))
    assert first @ second > SAME_SLICE


@pytest.mark.parametrize("margin", [40, 120])
def test_a_margin_around_a_slice_changes_little(margin: int) -> None:
    whole = draw_phantom(5)
    first, second = sketch_of(np.stack([fingerprint_of(whole), fingerprint_of(np.pad(whole, margin))]))
    assert first @ second > 0.98


def test_a_picture_of_one_grey_is_like_nothing() -> None:
    assert not sketch_of(np.full((1, 6912), 80, np.uint8)).any()


def test_the_directions_never_change() -> None:
    probes = np.zeros((3, 6912), np.uint8)
    probes[0, 0] = probes[1, 3000] = probes[2, -1] = 255
    signs = np.packbits(sketch_of(probes) > 0)
    assert hashlib.sha256(signs.tobytes()).hexdigest()[:16] == "300db5be52daaa7f"
