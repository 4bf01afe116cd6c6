"""Each perturbation does what its name says, and the worst of them is named."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from planted_models import Batch, N, silent

from hilum.imaging.body import find_body
from hilum.imaging.phantoms import draw_phantom
from hilum.training.probes.cases import Cases
from hilum.training.probes.perturbations import perturbations
from hilum.training.probes.robustness import robustness

PICTURE = draw_phantom(3, side=200)
BODY = find_body(PICTURE)


def apply(name: str, pixels: np.ndarray = PICTURE) -> np.ndarray:
    chosen = next(one for one in perturbations() if one.name.startswith(name))
    return chosen.apply(pixels, BODY, np.random.default_rng(0))


@pytest.mark.parametrize("perturbation", perturbations(), ids=lambda one: one.name)
def test_every_perturbation_changes_the_slice_and_keeps_its_scale(perturbation: object) -> None:
    for pixels in (PICTURE, PICTURE.astype(np.float32)):
        changed = perturbation.apply(pixels, BODY, np.random.default_rng(0))  # type: ignore[attr-defined]
        assert changed.ndim == 2
        assert changed.min() >= 0
        assert changed.max() <= 255
        assert changed.shape != pixels.shape or not np.array_equal(changed, pixels)


def test_windows_put_lung_and_tissue_where_they_belong() -> None:
    is_lung, is_tissue = np.abs(PICTURE - BODY.lung) < 5, np.abs(PICTURE - BODY.tissue) < 5
    lung, mediastinal = apply("lung window"), apply("mediastinal window")
    assert 60 < np.median(lung[is_lung]) < 110
    assert np.median(lung[is_tissue]) > 220
    assert np.median(mediastinal[is_lung]) == 0
    assert 100 < np.median(mediastinal[is_tissue]) < 155


def test_sizes() -> None:
    assert apply("resized × 0.5").shape == (100, 100)
    assert apply("cropped").shape == (180, 180)
    assert apply("black margin").shape == (280, 280)
    assert np.array_equal(apply("left and right")[:, ::-1], PICTURE)


def by_side(batch: Batch) -> Batch:
    """Answers normal while the brighter spot is in the picture's left lung."""
    return (batch[:, 24:40, 12:22].max(axis=(1, 2)) - batch[:, 24:40, 42:52].max(axis=(1, 2))) * 20


def with_left_mass(seed: int) -> np.ndarray:
    picture = draw_phantom(seed, side=160, with_mass=False)
    cv2.circle(picture, (42, 78), 8, 250, cv2.FILLED)
    return picture


def test_the_worst_is_named_with_its_figures(planted: Callable[..., Cases]) -> None:
    cases = planted(by_side, slices=[with_left_mass(seed) for seed in range(N)])
    table = robustness(cases, perturbations(), 0, silent)
    told = table.to_dict()
    assert table.n == N
    assert table.unperturbed.value == 1
    assert told["worst"] == "left and right exchanged"
    assert told["sentence"].startswith("The worst is left and right exchanged: accuracy 0.0% instead of 100.0%")
    assert table.worst.agreement.value == 0
    assert table.worst.agreement.high == pytest.approx(0.138, abs=1e-3)


def test_the_same_seed_gives_the_same_noise(planted: Callable[..., Cases]) -> None:
    noise = [one for one in perturbations() if one.family == "noise"]
    cases = planted(by_side)
    assert robustness(cases, noise, 5, silent) == robustness(cases, noise, 5, silent)
