"""Takes the linear head off an exported graph and puts another on; the backbone stays as it is, in 8 bits too."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from hilum.errors import TrainingFailed
from hilum.training.linear_head import LinearHead

_FEATURES, _LOGITS, _MAPS = "features", "logits", "activation_maps"
_PASSED = {"Add", "Identity", "QuantizeLinear", "DequantizeLinear", "Reshape"}
"""Between a head's product and the activation maps."""


@dataclass(frozen=True)
class Backbone:
    """A graph without its head.

    Attributes:
        model: a graph whose last outputs are the features and their map.
        feature_map: name of the tensor (N, h, w, F) whose mean over (h, w) the features are.
        digest: sha256 over what it computes; the same whichever head it carries.
    """

    model: onnx.ModelProto
    feature_map: str
    digest: str

    @classmethod
    def of(cls, path: Path) -> Backbone:
        """Takes the head off the graph at `path`.

        Raises:
            TrainingFailed: its head is no linear one on pooled features, or it is older than the output `features`.
        """
        model = onnx.load(path)
        feature_map = _feature_map(model.graph)
        nodes = _ancestors(model.graph, {_FEATURES, feature_map})
        used = {name for node in nodes for name in node.input}
        initializers = [tensor for tensor in model.graph.initializer if tensor.name in used]
        outputs = [output for output in model.graph.output if output.name == _FEATURES]
        if not outputs or not nodes:
            raise TrainingFailed(f"{path.name} does not give the features that its head reads; run a full training")
        graph = helper.make_graph(nodes, model.graph.name, list(model.graph.input), outputs, initializers)
        bare = helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
        digest = hashlib.sha256()
        for part in (*nodes, *initializers):
            digest.update(part.SerializeToString(deterministic=True))
        return cls(bare, feature_map, digest.hexdigest())

    def with_head(self, head: LinearHead, path: Path) -> None:
        """Writes the graph with this head: outputs `logits`, `activation_maps` and `features`."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        graph = model.graph
        kernel, bias = "head/kernel", "head/bias"
        graph.initializer.extend(
            [
                numpy_helper.from_array(np.ascontiguousarray(head.kernel, np.float32), kernel),
                numpy_helper.from_array(np.ascontiguousarray(head.bias, np.float32), bias),
            ]
        )
        graph.node.extend(
            [
                helper.make_node("Gemm", [_FEATURES, kernel, bias], [_LOGITS], name="head/logits"),
                helper.make_node("MatMul", [self.feature_map, kernel], ["head/maps"], name="head/maps"),
                helper.make_node("Add", ["head/maps", bias], [_MAPS], name="head/activation_maps"),
            ]
        )
        count = head.kernel.shape[1]
        for name, shape in ((_MAPS, ["n", "h", "w", count]), (_LOGITS, ["n", count])):
            graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
        onnx.checker.check_model(model)
        onnx.save(model, path)


def head_of(path: Path) -> LinearHead:
    """The linear head of the graph at `path`.

    Raises:
        TrainingFailed: it has none.
    """
    graph = onnx.load(path).graph
    values = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.output and node.output[0] == _LOGITS and node.op_type == "Gemm" and set(node.input[1:]) <= set(values):
            kernel, bias = (numpy_helper.to_array(values[name]) for name in node.input[1:])
            return LinearHead(np.array(kernel, np.float32), np.array(bias, np.float32))
        if node.output and node.output[0] == _LOGITS and node.op_type == "Add":
            (product,) = [one for one in graph.node if one.output[0] == node.input[0]]
            if product.op_type == "MatMul" and {product.input[1], node.input[1]} <= set(values):
                kernel, bias = (numpy_helper.to_array(values[name]) for name in (product.input[1], node.input[1]))
                return LinearHead(np.array(kernel, np.float32), np.array(bias, np.float32))
    raise TrainingFailed(f"{path.name} has no linear head that another could replace; run a full training")


def _feature_map(graph: onnx.GraphProto) -> str:
    """What the head is applied to for the activation maps."""
    maker = {name: node for node in graph.node for name in node.output}
    name = _MAPS
    while name in maker and maker[name].op_type in _PASSED:
        name = maker[name].input[0]
    if name not in maker or maker[name].op_type != "MatMul":
        raise TrainingFailed("the graph's activation maps come from no linear head; run a full training")
    name = maker[name].input[0]
    while name in maker and maker[name].op_type == "Reshape":
        name = maker[name].input[0]
    return str(name)


def _ancestors(graph: onnx.GraphProto, wanted: Iterable[str]) -> list[onnx.NodeProto]:
    """The nodes that the wanted tensors come from, in the graph's order."""
    needed = set(wanted)
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    return kept[::-1]
