"""The pictures a gate is fitted on: variants stay what they show, drawings differ, and nothing crosses a fold."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.dataset.importer import import_dataset
from hilum.imaging.phantoms import draw_phantom
from hilum.inference.gate_manifest import CHEST
from hilum.training.gate import pictures
from hilum.training.gate.drawings import draw_abdomen, draw_head, draw_pattern, draw_screen
from hilum.training.gate.pictures import ABDOMEN, INVERTED, Source, make_pictures, read_other_sources
from hilum.training.gate.variants import (
    WORKING_SIDE,
    lung_share,
    picture_variant,
    reduced,
    section_variant,
    without_lungs,
)


@pytest.mark.parametrize("vary", [section_variant, picture_variant])
def test_variants_are_pictures_and_the_seed_decides_them(vary: object) -> None:
    phantom = draw_phantom(1, side=200)
    for seed in range(20):
        varied = vary(phantom, np.random.default_rng(seed))
        assert varied.dtype == np.uint8
        assert min(varied.shape) >= 8
        assert np.array_equal(varied, vary(phantom, np.random.default_rng(seed)))
    assert np.array_equal(phantom, draw_phantom(1, side=200))


@pytest.mark.parametrize("draw", [draw_abdomen, draw_head, draw_pattern, draw_screen])
def test_drawings_are_pictures_and_differ(draw: object) -> None:
    drawn = [draw(np.random.default_rng(seed)) for seed in range(12)]
    assert all(picture.dtype == np.uint8 and picture.ndim == 2 for picture in drawn)
    assert len({picture.tobytes() for picture in drawn}) == len(drawn)


def test_without_lungs_a_phantom_has_hardly_any_air_in_it() -> None:
    phantom = draw_phantom(2, side=256, with_mass=False)
    assert lung_share(phantom) > 0.3
    shares = [(without_lungs(phantom, np.random.default_rng(seed))[60:200, 40:216] < 50).mean() for seed in range(10)]
    assert np.median(shares) < 0.5 * (phantom[60:200, 40:216] < 50).mean()


def test_large_pictures_are_reduced_and_small_ones_kept() -> None:
    assert reduced(np.zeros((1200, 600), np.float32)).shape == (WORKING_SIDE, WORKING_SIDE // 2)
    assert reduced(np.zeros((100, 90), np.uint8)).shape == (100, 90)


def test_what_is_made_from_a_picture_stays_in_its_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_DRAWN", {})
    monkeypatch.setattr(pictures, "_PHANTOMS", 0)
    sources = [Source.of(CHEST, f"g{n}", f"{n}.png", draw_phantom(n, side=160), 32) for n in range(6)]
    made = make_pictures(sources, [1] * 6, 32)
    assert set(made.folds.tolist()) == {1}
    assert made.sources[:6].tolist() == list(range(6))
    assert (made.sources[6:] == -1).all()
    assert {CHEST, ABDOMEN} <= set(made.kinds) <= {CHEST, ABDOMEN, INVERTED}
    assert made.pixels.shape[1:] == (32, 32, 1)


def test_names_of_one_patient_are_one_group(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("abdominal-ct/p1_a", "abdominal-ct/p1_b", "abdominal-ct/p2_a", "photos/p1_a"):
        file = tmp_path / "other" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), rng.integers(0, 256, (80, 80)).astype(np.uint8))
    group = {source.name: source.group for source in read_other_sources(import_dataset(tmp_path / "other"), 32)}
    assert group["abdominal-ct/p1_a.png"] == group["abdominal-ct/p1_b.png"]
    assert len(set(group.values())) == 3
