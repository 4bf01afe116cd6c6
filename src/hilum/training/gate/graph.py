"""The gate's graph: the first blocks of an ImageNet EfficientNet-Lite0, pooled to nine cells, and one linear layer."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnx
from keras import layers
from numpy.typing import NDArray

from hilum.errors import TrainingFailed
from hilum.inference.engines import open_session
from hilum.training.architectures import packaged_weights
from hilum.training.efficientnet_lite import build_efficientnet_lite, load_imagenet_weights
from hilum.training.export import export_graph

SIDE = 88
_BLOCKS = 8
"""Of 16: stride 16 and 80 channels, 0.26 of 3.4 million weights."""

_CELLS = 3
"""Across and down: lungs lie left and right, the spine below, the table under the body."""

_MAX_DIFFERENCE = 1e-3


def build_trunk(side: int = SIDE, weights: Path | None = None) -> keras.Model:
    """(N, side, side, 1) in [0, 1] -> (N, 720) features: nine cells of 80 frozen ImageNet channels.

    Raises:
        TrainingFailed: the ImageNet weights are not installed.
    """
    whole = build_efficientnet_lite("efficientnet-lite0", side)
    try:
        load_imagenet_weights(whole, weights or packaged_weights("efficientnet-lite0"))
    except (ValueError, OSError) as error:
        raise TrainingFailed(f"the ImageNet weights cannot be read: {error}") from error
    last = [layer for layer in whole.layers if layer.name.startswith(f"blocks_{_BLOCKS - 1}_")][-1]
    cell = last.output.shape[1] // _CELLS
    cells = layers.AveragePooling2D(cell, name="cells")(last.output)
    return keras.Model(whole.input, layers.Flatten(name="features")(cells), name="gate_trunk")


def write_graph(trunk: keras.Model, kernel: NDArray[np.float32], bias: NDArray[np.float32], path: Path) -> None:
    """Writes the trunk with its linear layer as ONNX: `slice` (N, side, side, 1) -> `logits` (N, kinds).

    Raises:
        TrainingFailed: the graph does not compute what Keras does.
    """
    head = layers.Dense(bias.size, name="logits")
    model = keras.Model(trunk.input, head(trunk.output), name="gate")
    head.set_weights([kernel, bias])
    export_graph(model, path, _name_output)
    side = trunk.input_shape[1]
    batch = np.random.default_rng(0).random((4, side, side, 1), np.float32)
    session = open_session(path, threads=1)
    (got,) = session.run(["logits"], {session.get_inputs()[0].name: batch})
    difference = float(np.abs(got - model.predict(batch, verbose=0)).max())
    if not difference <= _MAX_DIFFERENCE:
        raise TrainingFailed(f"the gate's ONNX graph differs from Keras by {difference:.2g} in a logit")


def _name_output(model: onnx.ModelProto) -> None:
    output = model.graph.output[0]
    for node in model.graph.node:
        node.output[:] = ["logits" if given == output.name else given for given in node.output]
    output.name = "logits"
