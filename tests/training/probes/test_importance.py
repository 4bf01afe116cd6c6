"""Planted ways of answering are revealed: a shortcut by its sentence, a region by its fall."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from planted_models import Batch, N, silent

from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import Preprocessing
from hilum.training.probes.cases import Cases
from hilum.training.probes.properties import property_importance
from hilum.training.probes.regions import RegionImportance, region_importance
from hilum.training.probes.shortcuts import shortcut_sentences

CANCERS = ("adenocarcinoma", "large_cell_carcinoma", "squamous_cell_carcinoma")


def unlevelled(pixels: NDArray[np.uint8], settings: Preprocessing, body: object = None) -> NDArray[np.float32]:
    """Preprocessing that keeps the brightness, as a model's with a shortcut would."""
    small = cv2.resize(pixels.astype(np.float32), (settings.side, settings.side), interpolation=cv2.INTER_AREA)
    return small[..., np.newaxis] / 255


def by_brightness(batch: Batch) -> Batch:
    return (batch.mean(axis=(1, 2)) - 0.176) * 400


def by_wall(batch: Batch) -> Batch:
    """From the texture of the lowest part of the body, below the lungs."""
    return (batch[:, 54:62, 20:44].std(axis=(1, 2)) - 0.02) * 1000


def by_lungs(batch: Batch) -> Batch:
    """From what stands brightest in the lungs."""
    return (batch[:, 20:44, 10:22].max(axis=(1, 2)) - 0.3) * 100


def of_two_brightnesses() -> list[NDArray[np.uint8]]:
    """Phantoms of which every second one is brighter."""
    return [
        np.minimum(draw_phantom(seed, side=160) * (1.0 + 0.4 * (seed % 2)), 255).astype(np.uint8) for seed in range(N)
    ]


def by_region(cases: Cases) -> dict[str, RegionImportance]:
    return {row.region: row for row in region_importance(cases, silent)}


def test_an_answer_from_brightness_is_revealed(planted: Callable[..., Cases], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hilum.training.probes.cases.preprocess", unlevelled)
    cases = planted(by_brightness, slices=of_two_brightnesses())
    assert len(set(cases.predicted)) == 2
    properties = property_importance(cases, 0, silent)

    sentences = shortcut_sentences((), properties.rows, CANCERS)

    brightness = next(row for row in properties.rows if row.name == "brightness")
    normal = next(row for row in brightness.effect.per_class if row.class_name == "normal")
    assert normal.n_changed >= 3
    assert (
        f"The answer 'normal' changes when only brightness changes: {normal.n_changed} of {normal.n_answered}."
        in sentences
    )
    assert not any("size" in sentence or "file format" in sentence for sentence in sentences)


def test_served_preprocessing_removes_that_shortcut(planted: Callable[..., Cases]) -> None:
    cases = planted(by_brightness, slices=of_two_brightnesses())
    rows = property_importance(cases, 0, silent).rows
    assert not any("brightness" in sentence for sentence in shortcut_sentences((), rows, CANCERS))


def test_the_format_counts_only_where_it_differs(planted: Callable[..., Cases]) -> None:
    same = property_importance(planted(by_lungs), 0, silent)
    assert "file_format" in same.constant
    mixed = property_importance(planted(by_lungs, file_formats=["png", "jpeg"] * (N // 2)), 0, silent)
    assert "file_format" in {row.name for row in mixed.rows}


def test_the_same_seed_gives_the_same_figures(planted: Callable[..., Cases]) -> None:
    cases = planted(by_lungs)
    assert property_importance(cases, 3, silent) == property_importance(cases, 3, silent)


def test_a_model_that_reads_one_lung_loses_by_that_lung(planted: Callable[..., Cases]) -> None:
    cases = planted(by_lungs)
    rows = by_region(cases)
    fall = {name: row.effect.probability_drop.value or 0.0 for name, row in rows.items()}
    assert fall["right_lung"] > 0.2
    assert fall["both_lungs"] == pytest.approx(fall["right_lung"], abs=0.05)
    assert abs(fall["left_lung"]) < 0.1
    assert abs(fall["outside"]) < 0.1
    normal = next(row for row in rows["right_lung"].effect.per_class if row.class_name == "normal")
    assert normal.n_changed == normal.n_answered > 0


def test_a_cancer_read_from_the_chest_wall_is_said_to_be(planted: Callable[..., Cases]) -> None:
    cases = planted(lambda batch: -by_wall(batch))
    assert (cases.predicted == 0).all()
    sentences = shortcut_sentences(region_importance(cases, silent), (), CANCERS)
    assert any(f"stays when lungs and mediastinum are filled: {N} of {N}" in sentence for sentence in sentences)
    assert any(sentence.startswith("The chest wall carries 'adenocarcinoma'") for sentence in sentences)


def test_a_cancer_read_from_the_lungs_gets_no_sentence(planted: Callable[..., Cases]) -> None:
    cases = planted(lambda batch: -by_lungs(batch))
    assert (cases.predicted == 0).all()
    regions = region_importance(cases, silent)
    assert regions[0].region == "lungs_and_mediastinum"
    assert regions[0].effect.n_changed == N
    assert shortcut_sentences(regions, (), CANCERS) == ()
