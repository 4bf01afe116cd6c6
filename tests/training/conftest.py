"""Keras, imported once; tiny models and data to train them on."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # TensorFlow's own imports use deprecated names
    import keras

from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import Preprocessing, preprocess
from hilum.training.augmentation import BASE_SCALE
from hilum.training.trainer import TrainingData

SIDE = 64


def tiny_backbone() -> keras.Model:
    """Slices to 8 x 8 cells of 8 features: trains in a moment where a real backbone takes its time."""
    inputs = keras.Input((SIDE, SIDE, 1), name="slice")
    x = keras.layers.Conv2D(8, 8, 8, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, keras.layers.ReLU(name="relu")(x), name="tiny")


@pytest.fixture(scope="session")
def phantom_data() -> TrainingData:
    """24 phantoms, half of them with a mass."""
    pictures = [draw_phantom(seed, side=128) for seed in range(24)]
    base = Preprocessing(side=round(SIDE * BASE_SCALE))
    return TrainingData(
        bases=np.stack([np.rint(preprocess(p, base)[..., 0] * 255).astype(np.uint8) for p in pictures]),
        tensors=np.stack([preprocess(p, Preprocessing(side=SIDE)) for p in pictures]),
        labels=np.arange(24) % 2,
    )
