"""Gives an exported graph another, random head, for the sanity check of heat maps. Knows ONNX, no images."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import numpy_helper

from hilum.inference.engines import OnnxEngine

_WITH_WEIGHTS = {"Conv", "Gemm", "MatMul"}


def with_random_head(graph: Path, seed: int | None) -> OnnxEngine | None:
    """Loads a graph whose last layer's weights are drawn anew, with the spread of the learnt ones.

    Args:
        graph: an ONNX file with an output `activation_maps`.
        seed: of the draw; None leaves the head as it is.

    Returns:
        The engine; None where no layer with weights leads to the maps.
    """
    model = onnx.load(graph)
    weights = _head_weights(model)
    if weights is None:
        return None
    if seed is not None:
        learnt = numpy_helper.to_array(weights)
        drawn = np.random.default_rng(seed).normal(0, learnt.std(), learnt.shape).astype(learnt.dtype)
        weights.CopyFrom(numpy_helper.from_array(drawn, weights.name))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        onnx.save(model, file)
        return OnnxEngine(file, threads=1)


def _head_weights(model: onnx.ModelProto) -> onnx.TensorProto | None:
    """The matrix of the layer nearest to the output `activation_maps`."""
    maker = {name: node for node in model.graph.node for name in node.output}
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    waiting = ["activation_maps"]
    while waiting:
        node = maker.get(waiting.pop(0))
        if node is None:
            continue
        matrices = [stored[name] for name in node.input if name in stored and len(stored[name].dims) >= 2]
        if node.op_type in _WITH_WEIGHTS and matrices:
            return matrices[0]
        waiting.extend(node.input)
    return None
