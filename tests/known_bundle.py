"""A tiny bundle that keeps a list of its training slices: phantoms, whose features are the tiny graph's logits."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper

from hilum.dataset.groups import fingerprint_of
from hilum.dataset.sketch import sketch_of
from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import preprocess
from hilum.inference.bundle import add_to_bundle, open_bundle
from hilum.inference.engines import OnnxEngine
from hilum.inference.neighbours import NEIGHBOURS, Neighbours, unit_rows

KNOWN_SEEDS = (20, 21, 22, 23, 24, 25)


def phantom_png(seed: int) -> bytes:
    """A phantom as PNG."""
    return cv2.imencode(".png", draw_phantom(seed))[1].tobytes()


def write_known_bundle(tiny_bundle: Path, directory: Path) -> Path:
    """Copies the tiny bundle, gives its graph features and lists the phantoms of `KNOWN_SEEDS` as its slices."""
    shutil.copytree(tiny_bundle, directory)
    model = onnx.load(directory / "model.onnx")
    model.graph.node.append(helper.make_node("Identity", ["logits"], ["features"]))
    model.graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 4]))
    onnx.save(model, directory / "model.onnx")
    pictures = [draw_phantom(seed) for seed in KNOWN_SEEDS]
    preprocessing = open_bundle(tiny_bundle).manifest.preprocessing
    engine = OnnxEngine(directory / "model.onnx")
    features = engine.run(np.stack([preprocess(picture, preprocessing) for picture in pictures])).features
    assert features is not None
    mean = features.mean(axis=0)
    Neighbours(
        mean=mean,
        projection=np.eye(4, dtype=np.float32),
        features=unit_rows(features - mean),
        sketches=sketch_of(np.stack([fingerprint_of(picture) for picture in pictures])),
        sha256=np.array([list(hashlib.sha256(phantom_png(seed)).digest()) for seed in KNOWN_SEEDS], np.uint8),
        labels=np.array(["adenocarcinoma", "normal"]),
        label_index=np.arange(len(KNOWN_SEEDS), dtype=np.uint16) % 2,
        sources=np.array(["phantoms"]),
        source_index=np.zeros(len(KNOWN_SEEDS), np.uint16),
        names=np.array([f"train/<i>{seed}</i>.png" for seed in KNOWN_SEEDS]),
    ).save(directory / NEIGHBOURS)
    add_to_bundle(directory, [directory / "model.onnx", directory / NEIGHBOURS])
    return directory
