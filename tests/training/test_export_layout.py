"""The exported graph reshapes its input before it scales it, with the same outputs to the last bit."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from hilum.training.export import hoist_layout

SIDE = 16


def _graph() -> onnx.ModelProto:
    """Scales and shifts the slice, quantises it, then brings it into the order of a convolution."""
    constants = {
        "gain": np.float32(1.9921875),
        "offset8": np.uint8(0),
        "step": np.float32(0.99 / 255),
        "zero": np.uint8(255),
        "weights": np.random.default_rng(0).normal(size=(2, 1, 3, 3)).astype(np.float32),
        "shape": np.array([-1, 1, SIDE, SIDE]),
    }
    nodes = [
        helper.make_node("Mul", ["slice", "gain"], ["scaled"]),
        helper.make_node("DequantizeLinear", ["offset8", "step", "zero"], ["offset"]),
        helper.make_node("Add", ["scaled", "offset"], ["shifted"]),
        helper.make_node("QuantizeLinear", ["shifted", "step", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "step", "zero"], ["dq"]),
        helper.make_node("Reshape", ["dq", "shape"], ["planes"]),
        helper.make_node("Conv", ["planes", "weights"], ["out"], pads=[1, 1, 1, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "scaled",
        [helper.make_tensor_value_info("slice", TensorProto.FLOAT, ["n", SIDE, SIDE, 1])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 2, SIDE, SIDE])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return model


def _run(model: onnx.ModelProto, slices: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"slice": slices})[0])


def test_the_reshape_comes_first_and_nothing_else_changes() -> None:
    model = _graph()
    slices = np.random.default_rng(1).random((3, SIDE, SIDE, 1), np.float32)
    before = _run(model, slices)
    hoist_layout(model)
    onnx.checker.check_model(model)
    reshape = next(node for node in model.graph.node if node.op_type == "Reshape")
    assert list(reshape.input) == ["slice", "shape"]
    np.testing.assert_array_equal(_run(model, slices), before)


def test_arithmetic_by_channel_stays_where_it_is() -> None:
    model = _graph()
    gain = next(tensor for tensor in model.graph.initializer if tensor.name == "gain")
    gain.CopyFrom(numpy_helper.from_array(np.linspace(0, 1, SIDE, dtype=np.float32)[:, np.newaxis], "gain"))
    slices = np.random.default_rng(1).random((1, SIDE, SIDE, 1), np.float32)
    before = _run(model, slices)
    hoist_layout(model)
    reshape = next(node for node in model.graph.node if node.op_type == "Reshape")
    assert list(reshape.input) == ["dq", "shape"]
    np.testing.assert_array_equal(_run(model, slices), before)
