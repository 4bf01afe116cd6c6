"""Graphs that could do more than compute are refused, before ONNX Runtime sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from hilum.errors import BundleInvalid
from hilum.inference import graph_safety
from hilum.inference.engines import open_session
from hilum.inference.graph_safety import check_graph
from tiny_bundle import GRAPH

REFERENCE = Path(__file__).parents[2] / "models" / "reference"


@pytest.fixture
def model(tiny_bundle: Path) -> onnx.ModelProto:
    """The tiny bundle's graph."""
    return onnx.load(tiny_bundle / GRAPH)


def refused(model: onnx.ModelProto, words: str) -> None:
    """Asserts that a graph is refused in these words."""
    with pytest.raises(BundleInvalid, match=words):
        check_graph(model.SerializeToString(), GRAPH)


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.onnx", "gate.onnx"])
def test_the_reference_models_graphs_are_taken(name: str) -> None:
    check_graph((REFERENCE / name).read_bytes(), name)


def test_weights_in_another_file_are_not_read(
    model: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime would read this one: it lies in the working directory and has the right size."""
    monkeypatch.chdir(tmp_path)
    weights = model.graph.initializer[0]
    (tmp_path / "weights.bin").write_bytes(weights.raw_data)
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    entry = weights.external_data.add()
    entry.key, entry.value = "location", "weights.bin"
    (tmp_path / GRAPH).write_bytes(model.SerializeToString())
    with pytest.raises(BundleInvalid, match="weights in another file"):
        open_session(tmp_path / GRAPH, threads=1)
    weights.ClearField("external_data")
    refused(model, "another file")


def test_weights_of_an_attribute_are_looked_at_too(model: onnx.ModelProto) -> None:
    constant = numpy_helper.from_array(np.zeros(3, np.float32), "c")
    constant.data_location = TensorProto.EXTERNAL
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=constant))
    refused(model, "another file")


@pytest.mark.parametrize("operator", ["If", "Loop", "Scan"])
def test_graphs_within_graphs_are_refused(model: onnx.ModelProto, operator: str) -> None:
    body = helper.make_graph([], "body", [], [])
    name = {"If": "then_branch"}.get(operator, "body")
    model.graph.node.append(helper.make_node(operator, ["x"], ["y"], **{name: body}))
    refused(model, "graph within a graph")


def test_other_operators_functions_and_sizes_are_refused(
    model: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = onnx.ModelProto()
    other.CopyFrom(model)
    other.graph.node[0].domain = "evil.example"
    refused(other, "evil.example")
    other.CopyFrom(model)
    other.functions.append(
        helper.make_function("local", "f", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])], [])
    )
    refused(other, "functions of its own")
    monkeypatch.setattr(graph_safety, "MOST_NODES", 3)
    refused(model, "more than 3 nodes")
    monkeypatch.setattr(graph_safety, "MOST_BYTES", 100)
    refused(model, "at most 100")


@pytest.mark.parametrize("data", [b"", b"\x80" * 20, b"not an onnx file", b"\x3a\xff\xff\xff\xff\x0f"])
def test_what_is_no_graph_is_refused(data: bytes) -> None:
    with pytest.raises(BundleInvalid, match=r"model\.onnx is not taken"):
        check_graph(data, GRAPH)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_taken_or_refused(data: bytes) -> None:
    try:
        check_graph(data, GRAPH)
    except BundleInvalid as error:
        assert GRAPH in error.detail  # noqa: PT017
