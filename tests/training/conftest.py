"""Keras, imported once; tiny models and data to train them on."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # TensorFlow's own imports use deprecated names
    import keras

from drawn_dataset import write_dataset
from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import Preprocessing, preprocess
from hilum.training.augmentation import BASE_SCALE
from hilum.training.trainer import TrainingData
from tiny_training import train_tiny

SIDE = 64


@pytest.fixture
def tiny_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts a backbone in the place of every architecture's that trains in a moment."""

    def build(architecture: str, side: int, weights: Path | None, frozen_blocks: int) -> keras.Model:
        inputs = keras.Input((side, side, 1), name="slice")
        x = keras.layers.Conv2D(8, 8, 8, use_bias=False, name="conv")(inputs)
        x = keras.layers.BatchNormalization(name="norm")(x)
        return keras.Model(inputs, keras.layers.ReLU(6, name="relu")(x), name="tiny")

    monkeypatch.setattr("hilum.training.architectures._build_backbone", build)


@pytest.fixture
def write_classes(tmp_path: Path) -> Callable[..., Path]:
    """Writes a data set of phantoms: keyword arguments are images in the training split by class."""
    return lambda **counts: write_dataset(tmp_path / "slices", {"train": counts})


@pytest.fixture(scope="session")
def phantom_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four classes, 7 training and 3 test slices each."""
    names = ("adenocarcinoma", "large.cell.carcinoma", "normal", "squamous.cell.carcinoma")
    counts = {"train": dict.fromkeys(names, 7), "test": dict.fromkeys(names, 3)}
    return write_dataset(tmp_path_factory.mktemp("phantoms") / "phantoms", counts)


@pytest.fixture(scope="session")
def phantom_data() -> TrainingData:
    """24 phantoms, half of them with a mass."""
    pictures = [draw_phantom(seed, side=128) for seed in range(24)]
    base = Preprocessing(side=round(SIDE * BASE_SCALE))
    return TrainingData(
        bases=np.stack([np.rint(preprocess(p, base)[..., 0] * 255).astype(np.uint8) for p in pictures]),
        tensors=np.stack([preprocess(p, Preprocessing(side=SIDE)) for p in pictures]),
        targets=np.eye(2, dtype=np.float32)[np.arange(24) % 2],
    )


@pytest.fixture(scope="session")
def parent(phantom_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a tiny backbone."""
    return train_tiny(phantom_dataset, tmp_path_factory.mktemp("parents") / "first")
