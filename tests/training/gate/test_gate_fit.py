"""Fitting a gate end to end on drawn pictures: it learns them, measures itself and lands in the bundle."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.dataset.importer import import_dataset
from hilum.errors import DatasetInvalid, NotAChestCt
from hilum.imaging.phantoms import draw_phantom
from hilum.inference.bundle import open_bundle
from hilum.inference.gate_manifest import CHEST
from hilum.training.gate import pictures
from hilum.training.gate.drawings import draw_head, draw_screen
from hilum.training.gate.fit import fit_gate, fit_layer


def test_kinds_count_alike_however_many_pictures_they_have() -> None:
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(-1, 1, (400, 3)), rng.normal(1, 1, (20, 3))]).astype(np.float32)
    labels = np.repeat([0, 1], [400, 20])
    scores = fit_layer(features, labels, np.ones(420), 2).scores(features)
    right = scores.argmax(1) == labels
    assert right[labels == 1].mean() > 0.85
    assert right[labels == 0].mean() > 0.85


@pytest.fixture
def drawn(tmp_path: Path) -> tuple[Path, Path]:
    """Chest phantoms, and a folder of heads and screens."""
    rng = np.random.default_rng(0)
    for n in range(14):
        files = {
            f"chest/a/{n}.png": draw_phantom(n, side=160),
            f"other/heads/h{n}.png": draw_head(rng),
            f"other/screens/s{n}.png": draw_screen(rng),
        }
        for name, picture in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / name), picture)
    return tmp_path / "chest", tmp_path / "other"


def test_a_fitted_gate_refuses_what_it_did_not_see(
    drawn: tuple[Path, Path], tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_DRAWN", {})
    monkeypatch.setattr(pictures, "_PHANTOMS", 0)
    chest, other = (import_dataset(folder) for folder in drawn)
    bundle = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, bundle)
    stages = []
    report = fit_gate([chest], [other], bundle, lambda stage, share, words: stages.append(stage))
    gate = open_bundle(bundle).load_gate(threads=1)
    assert gate is not None
    assert gate.settings == report.settings
    assert gate.settings.words["heads"] == "heads"
    assert {"read", "vary", "cross-fit", "pack"} <= set(stages)
    measured = {figure.pictures: figure for figure in report.settings.measured}
    assert measured["all that is no chest CT, cross-fitted"].n == 28
    assert measured["all that is no chest CT, cross-fitted"].refused >= 26
    assert CHEST in report.settings.kinds
    assert gate.admit(draw_phantom(100)) == ()
    with pytest.raises(NotAChestCt, match="screenshot"):
        gate.admit(draw_screen(np.random.default_rng(99)))


def test_without_other_pictures_nothing_can_be_fitted(
    drawn: tuple[Path, Path], tiny_bundle: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, bundle)
    with pytest.raises(DatasetInvalid, match="other pictures"):
        fit_gate([import_dataset(drawn[0])], [], bundle, lambda stage, share, words: None)
