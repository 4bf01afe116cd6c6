"""Trained bundles of a backbone of one convolution: real ones, Keras model and all, made in seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.dataset.importer import import_dataset


def train_tiny(data: Path, out: Path, *, epochs: int = 6) -> Path:
    """Trains every weight of the tiny backbone on a folder of drawn slices and writes the bundle to `out`."""
    import keras

    from hilum.training.pipeline import train
    from hilum.training.training_settings import TrainingSettings

    def build(architecture: str, side: int, weights: Path | None, frozen_blocks: int) -> keras.Model:
        inputs = keras.Input((side, side, 1), name="slice")
        x = keras.layers.Conv2D(8, 8, 8, use_bias=False, name="conv")(inputs)
        x = keras.layers.BatchNormalization(name="norm")(x)
        return keras.Model(inputs, keras.layers.ReLU(6, name="relu")(x), name="tiny")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hilum.training.architectures._build_backbone", build)
        patch.setattr("hilum.training.packing._is_worth_serving", lambda *_: False)  # else the machine's speed decides
        return train(import_dataset(data), out, TrainingSettings(side=64, epochs=epochs), lambda *_: None)
