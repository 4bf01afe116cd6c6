"""Heat maps that deserve no trust are found out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from planted_models import CELLS, Batch, silent

from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import Preprocessing, preprocess
from hilum.inference.engines import OnnxEngine
from hilum.training.probes.cases import Cases
from hilum.training.probes.heat import explanation_check
from hilum.training.probes.random_head import with_random_head


def in_corners(batch: Batch) -> Batch:
    heat = np.zeros((len(batch), CELLS, CELLS), np.float32)
    heat[:, [0, 0, -1, -1], [0, -1, 0, -1]] = 1
    return heat


def cell_means(batch: Batch) -> Batch:
    return np.stack([cv2.resize(one, (CELLS, CELLS), interpolation=cv2.INTER_AREA) for one in batch])


def by_the_brightest_cells(batch: Batch) -> Batch:
    return (np.maximum(cell_means(batch) - 0.6, 0).sum(axis=(1, 2)) - 0.8) * 2


def coldest(batch: Batch) -> Batch:
    return 1 - cell_means(batch)


def test_a_model_that_looks_outside_the_body_gets_a_low_share(planted: Callable[..., Cases], tiny_bundle: Path) -> None:
    check = explanation_check(planted(by_the_brightest_cells, in_corners), tiny_bundle / "model.onnx", 0, silent)
    assert check.in_body.heat.value is not None
    assert check.in_body.area.value is not None
    assert check.in_body.heat.value < 0.3 < 0.6 < check.in_body.area.value
    assert check.in_body.gain.high is not None
    assert check.in_body.gain.high < 0


def test_a_flat_map_has_the_shares_of_the_area(planted: Callable[..., Cases], tiny_bundle: Path) -> None:
    check = explanation_check(planted(by_the_brightest_cells), tiny_bundle / "model.onnx", 0, silent)
    assert check.in_chest.heat.value == pytest.approx(check.in_chest.area.value)
    assert check.in_body.gain.value == pytest.approx(0)


def test_deletion_tells_a_true_map_from_its_opposite(planted: Callable[..., Cases], tiny_bundle: Path) -> None:
    graph = tiny_bundle / "model.onnx"
    bright = [draw_phantom(seed, side=160) for seed in range(24)]
    cases = planted(by_the_brightest_cells, cell_means, slices=bright)
    is_normal = np.flatnonzero(cases.predicted == 2)
    chosen = [bright[index] for index in is_normal]
    true = explanation_check(planted(by_the_brightest_cells, cell_means, slices=chosen), graph, 0, silent).deletion
    false = explanation_check(planted(by_the_brightest_cells, coldest, slices=chosen), graph, 0, silent).deletion
    assert true.gain.low is not None
    assert false.gain.high is not None
    assert true.gain.low > 0 > false.gain.high
    assert true.hottest == false.coolest


def test_maps_without_positive_heat_are_counted(planted: Callable[..., Cases], tiny_bundle: Path) -> None:
    cases = planted(by_the_brightest_cells, lambda batch: -cell_means(batch) - 1)
    check = explanation_check(cases, tiny_bundle / "model.onnx", 0, silent)
    assert check.n_without_heat == check.n == len(cases)
    assert check.in_body.heat.value is None
    assert check.to_dict()["deletion"]["hottest"]["n"] == len(cases)


def test_a_random_head_changes_the_maps_and_no_seed_does_not(tiny_bundle: Path) -> None:
    graph = tiny_bundle / "model.onnx"
    batch = preprocess(draw_phantom(1), Preprocessing(side=64))[np.newaxis]
    served = OnnxEngine(graph).run(batch).activation_maps
    untouched, drawn, again = (with_random_head(graph, seed) for seed in (None, 1, 1))
    assert untouched is not None
    assert drawn is not None
    assert again is not None
    assert np.array_equal(untouched.run(batch).activation_maps, served)
    assert not np.allclose(drawn.run(batch).activation_maps, served)
    assert np.array_equal(drawn.run(batch).activation_maps, again.run(batch).activation_maps)


def test_a_graph_without_weights_has_no_head_to_make_random(tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["slice"], ["activation_maps"])
    shape = ["n", 64, 64, 1]
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("slice", "activation_maps")]
    onnx.save(helper.make_model(helper.make_graph([node], "bare", info[:1], info[1:])), tmp_path / "bare.onnx")
    assert with_random_head(tmp_path / "bare.onnx", 0) is None
