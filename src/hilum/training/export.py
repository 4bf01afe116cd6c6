"""Keras to ONNX, and ONNX to 8 bits. Knows no data set and no bundle."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from hilum.errors import TrainingFailed
from hilum.training.architectures import with_activation_maps

_OPSET = 17
_MEASURED_AT_ONCE = 4
_FIRST_CONVOLUTIONS = 3
_RANKS = {"activation_maps": 4, "features": 2, "logits": 2}
"""The graph's outputs and how many dimensions each has."""


def export_onnx(classifier: keras.Model, path: Path) -> None:
    """Writes `classifier` as ONNX: input `slice`, outputs `logits`, `activation_maps`, `features`; any batch size."""
    export_graph(with_activation_maps(classifier), path, _name_outputs)


def export_graph(model: keras.Model, path: Path, name_outputs: Callable[[onnx.ModelProto], None]) -> None:
    """Writes any model of one image input as ONNX; `name_outputs` gives its outputs their names."""
    model(np.zeros((1, *model.input_shape[1:]), np.float32))
    with _quiet():
        model.export(str(path), format="onnx", opset_version=_OPSET, verbose=False)
    graph = onnx.load(path)
    name_outputs(graph)
    hoist_layout(graph)
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def quantise(path: Path, target: Path, tensors: NDArray[np.float32]) -> None:
    """Writes an int8 variant of the ONNX model at `path` (static, per channel, ranges from `tensors`).

    The linear head stays fp32: it is a thousandth of the work, and 8 bits there changed half of the answers of a
    head whose weights span several orders of magnitude. So do the first convolutions, which see the finest grey steps:
    in 8 bits they made most of the difference (0.38 instead of 0.13 in the worst probability of 721 slices) and saved
    no time.

    Args:
        path: the fp32 model.
        target: where the int8 model goes.
        tensors: (N, side, side, 1) training slices that show the range of each activation.
    """
    with tempfile.TemporaryDirectory() as folder, _quiet():
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(path, prepared, skip_symbolic_shape=True)
        convolutions = [node.name for node in onnx.load(prepared).graph.node if node.op_type == "Conv"]
        quantize_static(
            prepared,
            target,
            _Slices(tensors),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=convolutions[: min(_FIRST_CONVOLUTIONS, len(convolutions) // 4)],
            op_types_to_quantize=["Conv", "Clip", "Add", "GlobalAveragePool", "ReduceMean"],
        )


def _name_outputs(graph: onnx.ModelProto) -> None:
    """tf2onnx may name the outputs as it likes, but keeps TensorFlow's order: sorted by their names in Keras."""
    names = {}
    for output, (name, rank) in zip(graph.graph.output, sorted(_RANKS.items()), strict=True):
        found = len(output.type.tensor_type.shape.dim)
        if found != rank:
            raise TrainingFailed(f"the exported graph's output {name!r} has {found} dimensions instead of {rank}")
        names[output.name] = name
        output.name = name
    for node in graph.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]


def hoist_layout(model: onnx.ModelProto) -> None:
    """Moves a Reshape or Transpose of the input above the scalar arithmetic before it; every output stays the same.

    Keras scales the slice as (N, side, side, 1), where ONNX Runtime takes a scalar's arithmetic one pixel at a time:
    10 % of the time of an EfficientNet-Lite0 at 256 px, and 29 % of its int8 variant.
    """
    graph = model.graph
    scalars = {tensor.name for tensor in graph.initializer if not tensor.dims}
    scalars.update(
        node.output[0] for node in graph.node if node.op_type == "DequantizeLinear" and scalars.issuperset(node.input)
    )
    producers = {output: node for node in graph.node for output in node.output}
    readers = Counter(name for node in graph.node for name in node.input)
    constants = {tensor.name for tensor in graph.initializer}
    inputs = {value.name for value in graph.input}
    layouts = [node for node in graph.node if node.op_type in {"Reshape", "Transpose"}]
    for node in (node for node in layouts if constants.issuperset(node.input[1:])):
        chain: list[onnx.NodeProto] = []
        top = node.input[0]
        while top in producers and readers[top] == 1 and _is_scalar_arithmetic(producers[top], scalars):
            chain.append(producers[top])
            top = chain[-1].input[0]
        if not chain or top not in inputs:
            continue
        first, last, moved = chain[-1], chain[0], node.output[0]
        for reader in graph.node:
            reader.input[:] = [last.output[0] if name == moved else name for name in reader.input]
        node.input[0], first.input[0] = top, moved
        graph.node.remove(node)
        graph.node.insert(list(graph.node).index(first), node)
    del graph.value_info[:]  # shapes of what lay between


def _is_scalar_arithmetic(node: onnx.NodeProto, scalars: set[str]) -> bool:
    return node.op_type in {"Add", "Mul", "QuantizeLinear", "DequantizeLinear"} and scalars.issuperset(node.input[1:])


class _Slices(CalibrationDataReader):
    """Feeds slices a few at a time to the range measurement, which keeps every activation of a batch in memory."""

    def __init__(self, tensors: NDArray[np.float32]) -> None:
        self._batches = iter(np.array_split(tensors, max(1, len(tensors) // _MEASURED_AT_ONCE)))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"slice": batch}


@contextlib.contextmanager
def _quiet():  # type: ignore[no-untyped-def]
    """The converters log every step at INFO and warn about their own internals."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        root.setLevel(level)
