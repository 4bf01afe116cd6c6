"""A tiny model bundle made without training."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import Preprocessing, preprocess
from hilum.inference.bundle import MANIFEST, METRICS, file_digest
from hilum.inference.calibration import calibrated_probabilities
from hilum.inference.engines import OnnxEngine
from hilum.inference.manifest import Golden, Manifest

CLASS_NAMES = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")
CANCER_CLASS_NAMES = ("adenocarcinoma", "large_cell_carcinoma", "squamous_cell_carcinoma")
GRAPH = "model.onnx"
SIDE = 64


def _tiny_graph(seed: int) -> onnx.ModelProto:
    """One convolution of 8 x 8 cells to four maps, whose means are the logits."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 0.12, (4, 1, 8, 8)).astype(np.float32)
    nodes = [
        helper.make_node("Transpose", ["slice"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weights"], ["maps"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Transpose", ["maps"], ["activation_maps"], perm=[0, 2, 3, 1]),
        helper.make_node("ReduceMean", ["activation_maps", "axes"], ["logits"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("slice", TensorProto.FLOAT, ["n", SIDE, SIDE, 1])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 4]),
            helper.make_tensor_value_info("activation_maps", TensorProto.FLOAT, ["n", 8, 8, 4]),
        ],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([1, 2]), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def write_tiny_bundle(directory: Path, *, version: str = "tiny-20260101-00000000", seed: int = 5) -> Path:
    """Writes a bundle that opens, verifies and answers like a trained one, only without meaning.

    Args:
        directory: is made.
        version: its name.
        seed: of its weights: bundles of other seeds answer otherwise.
    """
    directory.mkdir(parents=True, exist_ok=True)
    onnx.save(_tiny_graph(seed), directory / GRAPH)
    preprocessing = Preprocessing(side=SIDE)
    engine = OnnxEngine(directory / GRAPH)
    golden = []
    for seed in (1, 2):
        output = engine.run(preprocess(draw_phantom(seed), preprocessing)[np.newaxis])
        probabilities = calibrated_probabilities(output.logits, 1.0)[0]
        golden.append(Golden(phantom_seed=seed, probabilities=tuple(probabilities.tolist())))
    figure = {"value": 0.91, "low": 0.88, "high": 0.94, "n": 315}
    metrics = {
        "dataset": "phantoms",
        "split": "test",
        "n": 315,
        "n_trained_on": 0,
        "accuracy": figure,
        "macro_f1": figure | {"value": 0.9},
        "macro_auroc": figure | {"value": 0.98},
        "cancer": {"sensitivity": figure | {"value": 0.97}, "specificity": figure | {"value": 0.93}},
        "without_copies": {"n": 201, "accuracy": figure | {"value": 0.83}},
    }
    (directory / METRICS).write_text(json.dumps(metrics))
    manifest = Manifest(
        model_version=version,
        architecture="tiny",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        hilum_version="0.1.0",
        code_version="test",
        class_names=CLASS_NAMES,
        cancer_class_names=CANCER_CLASS_NAMES,
        preprocessing=preprocessing,
        temperature=1.0,
        confident_above=0.4,
        dataset_digest="0" * 64,
        engine_files=(GRAPH,),
        files={name: file_digest(directory / name) for name in (GRAPH, METRICS)},
        parity={},
        golden={GRAPH: tuple(golden)},
        training={},
    )
    (directory / MANIFEST).write_text(manifest.model_dump_json())
    return directory
