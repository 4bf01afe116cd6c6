"""A gate made by hand for a tiny bundle: dark pictures are chest CT slices, bright ones photos."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hilum.imaging.phantoms import draw_phantom
from hilum.inference.bundle import add_to_bundle
from hilum.inference.gate import GATE, Gate, gate_picture
from hilum.inference.gate_manifest import CHEST, GateFigure, GateGolden, GateManifest

SIDE = 32


def gate_settings(**changes: object) -> GateManifest:
    """What the tiny bundle says of its gate."""
    mean = float(gate_picture(draw_phantom(1), SIDE).mean())
    score = 1 / (1 + np.exp(-20 * (0.6 - mean) * 2))
    settings = GateManifest(
        file=GATE,
        side=SIDE,
        kinds=(CHEST, "natural"),
        words={CHEST: "an axial chest CT slice", "natural": "a photo"},
        refuse_below=0.1,
        unusual_below=0.6,
        golden=(GateGolden(phantom_seed=1, chest_score=float(score)),),
        fitted_on={"natural, real": 2},
        measured=(GateFigure(pictures="natural, cross-fitted", refused=2, unusual=0, n=2, low=0.34, high=1.0),),
    )
    return settings.model_copy(update=changes)


def write_gate_graph(path: Path) -> None:
    """Logits 20 (0.6 - mean) and its negative."""
    weights = np.array([[-20.0, 20.0]], np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["slice", "axes"], ["mean"], keepdims=0),
        helper.make_node("Reshape", ["mean", "column"], ["one"]),
        helper.make_node("MatMul", ["one", "weights"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny_gate",
        [helper.make_tensor_value_info("slice", TensorProto.FLOAT, ["n", SIDE, SIDE, 1])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(np.array([1, 2, 3]), "axes"),
            numpy_helper.from_array(np.array([-1, 1]), "column"),
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([12.0, -12.0], np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    onnx.save(model, path)


def gated_copy(bundle: Path, folder: Path, **changes: object) -> Path:
    """A copy of `bundle` that has the gate."""
    shutil.copytree(bundle, folder)
    write_gate_graph(folder / GATE)
    add_to_bundle(folder, [folder / GATE], gate=gate_settings(**changes))
    return folder


def tiny_gate(folder: Path, **changes: object) -> Gate:
    """The gate alone."""
    write_gate_graph(folder / GATE)
    return Gate(folder / GATE, gate_settings(**changes))
