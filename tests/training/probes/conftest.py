"""Predictors whose way of answering is planted, and phantoms to ask them about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from planted_models import Batch, N, PlantedEngine, flat

from hilum.imaging.phantoms import draw_phantom
from hilum.inference.bundle import open_bundle
from hilum.inference.predictor import Predictor
from hilum.training.probes.cases import Cases


@pytest.fixture
def planted(tiny_bundle: Path) -> Callable[..., Cases]:
    """Makes cases of a predictor with a planted score and heat; the labels are its answers."""

    def make(
        score: Callable[[Batch], Batch],
        heat: Callable[[Batch], Batch] = flat,
        slices: list[NDArray[np.uint8]] | None = None,
        file_formats: list[str] | None = None,
    ) -> Cases:
        predictor = Predictor(open_bundle(tiny_bundle).manifest, PlantedEngine(score, heat))
        slices = slices or [draw_phantom(seed, side=160) for seed in range(N)]
        formats = file_formats or ["png"] * len(slices)
        unlabelled = Cases.of(predictor, slices, formats, np.zeros(len(slices), np.intp))
        return Cases.of(predictor, slices, formats, unlabelled.predicted)

    return make
