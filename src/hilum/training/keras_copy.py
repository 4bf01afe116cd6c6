"""The Keras model of a champion with another head on it: what a full training may start from. Knows no data set."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from hilum.training.architectures import HEAD
from hilum.training.linear_head import LinearHead


def save_with_head(source: Path, head: LinearHead, target: Path, tensors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Writes `source` with this head to `target`.

    Returns:
        (N, C) what the written model says of `tensors` (N, side, side, 1), before calibration.
    """
    classifier = keras.models.load_model(source, compile=False)
    classifier.get_layer(HEAD).set_weights([head.kernel, head.bias])
    classifier.save(target)
    again = keras.models.load_model(target, compile=False)
    return np.asarray(again.predict(tensors, batch_size=32, verbose=0), np.float32)
