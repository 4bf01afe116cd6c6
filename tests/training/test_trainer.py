"""A fit learns, counts its epochs once, and goes on where it was interrupted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from hilum.training.architectures import FEATURES, HEAD
from hilum.training.augmentation import Augmentation
from hilum.training.fit_settings import FitSettings
from hilum.training.head import fit_head, take_features
from hilum.training.trainer import AugmentedBatches, TrainingData
from hilum.training.trainer import fit as fit_batches

SETTINGS = FitSettings(epochs=3, batch_size=8, seed=1, learning_rate=0.01)


class Interruption(Exception):
    """Stands for a kill or a cancel."""


@pytest.fixture
def model() -> keras.Model:
    return tiny_classifier()


def tiny_classifier() -> keras.Model:
    keras.utils.set_random_seed(5)
    inputs = keras.Input((64, 64, 1), name="slice")
    x = keras.layers.Conv2D(8, 8, 8, use_bias=False, name="conv")(inputs)
    x = keras.layers.Activation("linear", name=FEATURES)(keras.layers.BatchNormalization(name="norm")(x))
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(2, name=HEAD)(pooled))


@pytest.fixture(scope="module")
def learn(phantom_data: TrainingData) -> TrainingData:
    return phantom_data.subset(np.arange(16))


@pytest.fixture(scope="module")
def hold(phantom_data: TrainingData) -> TrainingData:
    return phantom_data.subset(np.arange(16, 24))


def fit(
    model: keras.Model, learn: TrainingData, hold: TrainingData | None, settings: FitSettings, folder: Path, **told: Any
) -> list[dict[str, float]]:
    held_out = None if hold is None else (hold.tensors, hold.targets)
    return fit_batches(
        model, lambda first: AugmentedBatches(learn, settings, first), held_out, settings, folder, **told
    )


def same_weights(a: keras.Model, b: keras.Model) -> bool:
    return all(np.allclose(x, y, atol=1e-6) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


def test_a_fit_reports_and_keeps_its_history(
    model: keras.Model, learn: TrainingData, hold: TrainingData, tmp_path: Path
) -> None:
    seen = []
    history = fit(model, learn, hold, SETTINGS, tmp_path, on_epoch=lambda *row: seen.append(row))
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"} <= set(history[0])
    assert all(np.isfinite(value) for row in history for value in row.values())
    assert [(epoch, of) for epoch, of, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    assert json.loads((tmp_path / "history.json").read_text()) == history
    rates = [row["learning_rate"] for row in history]
    assert rates[0] == pytest.approx(0.01, rel=0.02)  # warmed up
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("interrupted_in", [1, 2, 3])
def test_an_interrupted_fit_ends_as_an_uninterrupted_one(
    learn: TrainingData, hold: TrainingData, tmp_path: Path, interrupted_in: int
) -> None:
    def interrupt(epoch: int, of: int, row: dict[str, float]) -> None:
        if epoch == interrupted_in:
            raise Interruption

    whole, resumed = tiny_classifier(), tiny_classifier()
    expected = fit(whole, learn, hold, SETTINGS, tmp_path / "whole")
    with pytest.raises(Interruption):
        fit(resumed, learn, hold, SETTINGS, tmp_path / "resumed", on_epoch=interrupt)

    resumed = tiny_classifier()  # another process knows only what is on disk
    seen: list[int] = []
    history = fit(resumed, learn, hold, SETTINGS, tmp_path / "resumed", on_epoch=lambda e, of, row: seen.append(e))
    assert seen == list(range(interrupted_in + 1, 4))
    assert [row["epoch"] for row in history] == [1, 2, 3]
    for got, want in zip(history, expected, strict=True):
        assert got == pytest.approx(want, rel=1e-4, abs=1e-6)
    assert same_weights(resumed, whole)


def test_a_kill_while_a_checkpoint_is_written_repeats_that_epoch(
    model: keras.Model, learn: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, saved = keras.Model.save_weights, []

    def die_in_the_second(self: keras.Model, path: Path) -> None:
        saved.append(path)
        if len(saved) == 2:
            Path(path).write_bytes(b"half of a file")
            raise Interruption
        save(self, path)

    monkeypatch.setattr(keras.Model, "save_weights", die_in_the_second)
    with pytest.raises(Interruption):
        fit(model, learn, None, SETTINGS, tmp_path)
    monkeypatch.undo()
    history = fit(tiny_classifier(), learn, None, SETTINGS, tmp_path)
    assert [row["epoch"] for row in history] == [1, 2, 3]


def test_without_its_checkpoint_a_fit_begins_again(model: keras.Model, learn: TrainingData, tmp_path: Path) -> None:
    def interrupt(epoch: int, of: int, row: dict[str, float]) -> None:
        if epoch == 2:
            raise Interruption

    with pytest.raises(Interruption):
        fit(model, learn, None, SETTINGS, tmp_path, on_epoch=interrupt)
    (tmp_path / "epoch-2.weights.h5").unlink()
    history = fit(tiny_classifier(), learn, None, SETTINGS, tmp_path)
    assert [row["epoch"] for row in history] == [1, 2, 3]


def test_a_finished_fit_is_loaded_and_not_repeated(
    model: keras.Model, learn: TrainingData, hold: TrainingData, tmp_path: Path
) -> None:
    history = fit(model, learn, hold, SETTINGS, tmp_path)
    other = tiny_classifier()
    seen: list[int] = []
    assert fit(other, learn, hold, SETTINGS, tmp_path, on_epoch=lambda e, of, row: seen.append(e)) == history
    assert seen == []
    assert same_weights(other, model)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best.weights.h5",
        "final.weights.h5",
        "history.json",
    ]


def test_the_weights_of_the_best_epoch_are_kept_and_patience_ends_the_fit(
    model: keras.Model, learn: TrainingData, hold: TrainingData, tmp_path: Path
) -> None:
    wild = replace(SETTINGS, epochs=12, learning_rate=3.0, patience=2, warmup_epochs=0)
    history = fit(model, learn, hold, wild, tmp_path)
    losses = [row["val_loss"] for row in history]
    best = int(np.argmin(losses))
    assert len(history) == min(12, best + 3)
    logits = model.predict(hold.tensors, verbose=0)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=wild.label_smoothing)
    assert float(loss(hold.targets, logits)) == pytest.approx(losses[best], rel=1e-3)


def test_batches_do_not_depend_on_where_a_run_began(learn: TrainingData) -> None:
    from_the_start = AugmentedBatches(learn, SETTINGS)
    first = from_the_start[0][0]
    from_the_start.on_epoch_end()
    resumed = AugmentedBatches(learn, SETTINGS, first_epoch=1)
    for a, b in zip(from_the_start[1], resumed[1], strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(first, resumed[0][0])


def test_an_epoch_shows_each_slice_once_and_weighs_classes_alike(phantom_data: TrainingData) -> None:
    uneven = phantom_data.subset(np.flatnonzero((phantom_data.targets[:, 0] == 1) | (np.arange(24) < 8)))
    batches = AugmentedBatches(uneven, replace(SETTINGS, batch_size=4, augmentation=Augmentation()))
    assert len(batches) == 4
    weight = np.zeros(2)
    for index in range(len(batches)):
        slices, one_hot, weights = batches[index]
        assert slices.shape == (4, 64, 64, 1)
        assert slices.dtype == one_hot.dtype == weights.dtype == np.float32
        weight += weights @ one_hot
    assert weight[0] == pytest.approx(weight[1])


def test_fewer_slices_than_a_batch_make_one_batch(model: keras.Model, learn: TrainingData, tmp_path: Path) -> None:
    history = fit(model, learn, None, replace(SETTINGS, epochs=1, batch_size=64), tmp_path)
    assert len(history) == 1


def test_a_head_is_learnt_from_frozen_features(model: keras.Model, learn: TrainingData) -> None:
    before = model.get_layer("conv").get_weights()[0].copy()
    features = take_features(model, learn, SETTINGS)
    assert features.shape == (4, 16, 8)
    seen: list[int] = []
    settings = replace(SETTINGS, epochs=4)
    history = fit_head(
        model,
        features,
        learn.targets,
        (features[0], learn.targets),
        settings,
        on_epoch=lambda e, of, row: seen.append(e),
    )
    assert seen == [1, 2, 3, 4]
    assert np.array_equal(model.get_layer("conv").get_weights()[0], before)
    logits = model.predict(learn.tensors, verbose=0)
    right = (logits.argmax(axis=1) == learn.targets.argmax(axis=1)).mean()
    assert right == pytest.approx(
        history[int(np.argmin([row["val_loss"] for row in history]))]["val_accuracy"], abs=0.1
    )
