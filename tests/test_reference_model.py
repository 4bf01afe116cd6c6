"""The model that ships: whole, small, and as good on the real test images as its card says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hilum.inference.bundle import open_bundle
from hilum.inference.predictor import Predictor

ROOT = Path(__file__).resolve().parent.parent
BUNDLE = ROOT / "models" / "reference"
DATA = Path(os.environ.get("HILUM_DATA") or ROOT.parent / "shared" / "data") / "chest-ct-scan-images" / "test"


def test_is_whole_and_small_and_matches_keras() -> None:
    manifest = open_bundle(BUNDLE).manifest
    assert manifest.class_names == ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")
    assert manifest.parity["model.onnx"].max_probability_difference <= 1e-3
    assert sum(file.stat().st_size for file in BUNDLE.iterdir()) < 40_000_000
    assert {file.name for file in BUNDLE.iterdir()} == {*manifest.files, "manifest.json"}


def test_its_metrics_were_measured_on_this_model() -> None:
    metrics = json.loads((BUNDLE / "metrics.json").read_bytes())
    assert metrics["model_version"] == open_bundle(BUNDLE).manifest.model_version
    assert metrics["n"] == 315
    for name, least in (("accuracy", 0.952), ("precision", 0.948), ("recall", 0.951), ("f1", 0.949)):
        figure = metrics[name]
        assert figure["value"] >= least
        assert figure["low"] < figure["value"] < figure["high"]


@pytest.mark.skipif(not DATA.is_dir(), reason="the reference data set is not there; set HILUM_DATA")
def test_answers_the_real_test_images_as_its_metrics_say() -> None:
    predictor = Predictor.load(BUNDLE, threads=0, answers_all=True)  # its figures are of every labelled slice
    files = [file for file in sorted(DATA.glob("*/*")) if file.is_file()]
    right = sum(
        predictor.predict(file.read_bytes(), name=file.name).predicted_class == file.parent.name.replace(".", "_")
        for file in files
    )
    measured = json.loads((BUNDLE / "metrics.json").read_bytes())["accuracy"]["value"] * len(files)
    assert right == pytest.approx(measured, abs=2)  # 8-bit kernels of another processor may turn a doubtful slice
