"""Keras, imported once; tiny models and data to train them on."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # TensorFlow's own imports use deprecated names
    import keras

from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import Preprocessing, preprocess
from hilum.training.augmentation import BASE_SCALE
from hilum.training.trainer import TrainingData

SIDE = 64


@pytest.fixture
def tiny_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts a backbone in the place of every architecture's that trains in a moment."""

    def build(architecture: str, side: int, weights: Path | None) -> keras.Model:
        inputs = keras.Input((side, side, 1), name="slice")
        x = keras.layers.Conv2D(8, 8, 8, use_bias=False, name="conv")(inputs)
        x = keras.layers.BatchNormalization(name="norm")(x)
        return keras.Model(inputs, keras.layers.ReLU(6, name="relu")(x), name="tiny")

    monkeypatch.setattr("hilum.training.architectures._build_backbone", build)


def draw_varied(seed: int, label: int) -> NDArray[np.uint8]:
    """A phantom with random organs, so that no two are near copies; its label shows as discs in the lungs."""
    picture = draw_phantom(seed, side=128, with_mass=False)
    body = picture > 20
    rng = np.random.default_rng(seed)
    for _ in range(12):
        x, y, radius = (int(v) for v in rng.integers((25, 30, 6), (105, 95, 16)))
        cv2.circle(picture, (x, y), radius, int(rng.integers(25, 220)), cv2.FILLED)
    for _ in range(3 * label):
        x, y = (int(v) for v in rng.integers((35, 45), (93, 83)))
        cv2.circle(picture, (x, y), 5, 250, cv2.FILLED)
    picture[~body & (draw_phantom(seed, side=128, with_mass=False) == 0)] = 0
    return picture


def write_dataset(root: Path, counts: dict[str, dict[str, int]]) -> Path:
    """Writes `<split>/<class>/<n>.png` for the counts by split and class."""
    seed = 0
    for split, classes in counts.items():
        for label, (name, count) in enumerate(sorted(classes.items())):
            (root / split / name).mkdir(parents=True)
            for index in range(count):
                seed += 1
                cv2.imwrite(str(root / split / name / f"{index}.png"), draw_varied(seed, label))
    return root


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
