"""A fit of the whole model: what a finished one keeps."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from hilum.errors import TrainingFailed
from hilum.training.architectures import HEAD, POOL
from hilum.training.fit_settings import FitSettings
from hilum.training.fitter import Fitted, Fitter, FullFitter, HeadFitter
from hilum.training.trainer import FINAL, TrainingData

SETTINGS = FitSettings(epochs=2, patience=None, batch_size=8)


def build() -> keras.Model:
    inputs = keras.Input((32, 32, 1))
    pooled = keras.layers.GlobalAveragePooling2D(name=POOL)(keras.layers.Conv2D(4, 3, activation="relu")(inputs))
    return keras.Model(inputs, keras.layers.Dense(3, name=HEAD)(pooled))


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """24 squares, whose brightness is their class."""
    targets = np.eye(3, dtype=np.float32)[np.arange(24) % 3]
    greys = (60 + 60 * targets.argmax(1)).astype(np.uint8)
    bases = np.broadcast_to(greys[:, None, None], (24, 48, 48)).copy()
    tensors = np.broadcast_to(greys[:, None, None, None] / np.float32(255), (24, 32, 32, 1)).astype(np.float32)
    return TrainingData(bases, tensors, targets)


@pytest.fixture
def stages() -> list[str]:
    return []


@pytest.fixture
def run(data: TrainingData, tmp_path: Path, stages: list[str]) -> FullFitter:
    return FullFitter(data, build, tmp_path, lambda stage, share, words: stages.append(stage))


def fit(fitter: Fitter) -> Fitted:
    return fitter.fit("fold", np.arange(16), np.arange(16, 24), SETTINGS)


def test_a_finished_fold_gives_its_answers_without_its_weights(
    run: FullFitter, stages: list[str], tmp_path: Path
) -> None:
    before = fit(run)
    (tmp_path / "fold" / FINAL).unlink()
    stages.clear()
    after = fit(run)
    assert stages == []
    assert np.array_equal(after.held_out_logits, before.held_out_logits)
    assert after.history == before.history
    with pytest.raises(TrainingFailed, match="to fit it again"):
        _ = after.classifier


def test_a_finished_fold_gives_its_classifier_where_its_weights_are_kept(run: FullFitter, data: TrainingData) -> None:
    before, after = fit(run), fit(run)
    held_out = data.tensors[16:]
    assert np.allclose(after.classifier.predict(held_out, verbose=0), before.held_out_logits, atol=1e-5)


def test_a_head_answers_from_its_features_as_the_whole_classifier_does(data: TrainingData) -> None:
    fitted = fit(HeadFitter(data, build, SETTINGS, lambda *_: None))
    answers = fitted.classifier.predict(data.tensors[16:], verbose=0)
    assert np.allclose(fitted.held_out_logits, answers, atol=1e-5)
