"""Rows in a file are read as an array's are, leave nothing behind, and say where there is no room for them."""

from __future__ import annotations

import resource
from pathlib import Path

import keras
import numpy as np
import pytest

from hilum.errors import TrainingFailed
from hilum.training.augmentation import Augmentation
from hilum.training.fit_settings import FitSettings
from hilum.training.head import take_features
from hilum.training.stored_rows import StoredRows
from hilum.training.trainer import TrainingData


def stored(folder: Path, values: np.ndarray) -> StoredRows:
    rows = StoredRows(folder, values.shape, values.dtype)
    for number, row in enumerate(values):
        rows[number] = row
    return rows


def test_rows_are_read_as_an_array_s_are(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((7, 3, 2, 1), np.float32)
    rows = stored(tmp_path, values)
    assert (len(rows), rows.shape, rows.dtype) == (7, values.shape, values.dtype)
    some = np.array([5, 0, 5])
    for wanted in (slice(0, 3), slice(5, 9), slice(9, 12), some, some[:0], some[0]):
        assert np.array_equal(rows[wanted], values[wanted])
        assert rows[wanted].dtype == np.float32
    for beyond in (-1, 7):
        with pytest.raises(IndexError):
            rows[np.array([beyond])]


def test_a_row_takes_the_array_s_type_and_nothing_stays(tmp_path: Path) -> None:
    rows = stored(tmp_path, np.zeros((2, 4), np.uint8))
    rows[1] = np.array([1.0, 2.0, 3.0, 255.0])[::-1]
    assert rows[slice(0, 2)].tolist() == [[0, 0, 0, 0], [255, 3, 2, 1]]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    rows = StoredRows(tmp_path, (1, 4000), np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(TrainingFailed, match="has no room for the slices"):
            rows[0] = np.ones(4000, np.uint8)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_features_of_slices_in_a_file_are_those_of_slices_in_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    targets = np.eye(2, dtype=np.float32)[np.arange(40) % 2]
    bases, tensors = rng.integers(0, 256, (40, 24, 24), np.uint8), rng.random((40, 16, 16, 1), np.float32)
    inputs = keras.Input((16, 16, 1))
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.Conv2D(4, 3)(inputs))
    classifier = keras.Model(inputs, keras.layers.Dense(2)(pooled))
    settings = FitSettings(epochs=1, augmentation=Augmentation())
    beats: list[float] = []

    in_memory = take_features(classifier, TrainingData(bases, tensors, targets), settings)
    filed = TrainingData(stored(tmp_path, bases), stored(tmp_path, tensors), targets)
    in_file = take_features(classifier, filed, settings, on_batch=beats.append)

    assert np.array_equal(in_memory, in_file)
    backbone = keras.Model(inputs, pooled)
    assert np.allclose(in_file[1], backbone.predict(tensors[:, :, ::-1], verbose=0), atol=1e-6)
    assert not np.allclose(in_file[2], in_file[3], atol=1e-3)
    assert beats == [n / 8 for n in range(1, 9)]
