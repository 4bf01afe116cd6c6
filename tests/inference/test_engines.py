"""Graphs opened side by side: they share memory and not answers, and one opened for single slices says the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from gated_bundle import SIDE, write_gate_graph
from hilum.inference.engines import open_session

REFERENCE = Path(__file__).parents[2] / "models" / "reference"
GATE_SIDE = 88


def answer(session: onnxruntime.InferenceSession, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """The graph's logits."""
    (logits,) = session.run(["logits"], {session.get_inputs()[0].name: batch})
    return np.array(logits)


def alone(graph: Path, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """What ONNX Runtime answers with memory of its own and batches of any size."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return answer(onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"]), batch)


def noise(side: int, n: int = 1) -> NDArray[np.float32]:
    """(n, side, side, 1) in [0, 1]."""
    return np.random.default_rng(side).random((n, side, side, 1), np.float32)


def test_a_graph_for_one_slice_at_a_time_answers_to_the_last_bit_alike(tmp_path: Path) -> None:
    write_gate_graph(tmp_path / "tiny.onnx")
    for graph, side in ((REFERENCE / "gate.onnx", GATE_SIDE), (tmp_path / "tiny.onnx", SIDE)):
        single = open_session(graph, threads=1, one_at_a_time=True)
        assert np.array_equal(answer(single, noise(side)), alone(graph, noise(side)))
        with pytest.raises(Exception, match="dimension"):
            answer(single, noise(side, 2))


def test_graphs_that_share_memory_do_not_share_answers() -> None:
    graphs = {"gate.onnx": GATE_SIDE, "model.int8.onnx": 160}
    expected = {name: alone(REFERENCE / name, noise(side)) for name, side in graphs.items()}
    sessions = {name: open_session(REFERENCE / name, threads=1) for name in graphs}
    for _ in range(3):
        for name, side in graphs.items():
            assert np.array_equal(answer(sessions[name], noise(side)), expected[name])


def test_a_closed_graph_leaves_its_neighbours_memory_alone() -> None:
    kept, closed = (open_session(REFERENCE / "gate.onnx", threads=1) for _ in range(2))
    before = answer(kept, noise(GATE_SIDE))
    answer(closed, noise(GATE_SIDE))
    del closed
    opened_later = open_session(REFERENCE / "model.onnx", threads=1)
    answer(opened_later, noise(160, 3))
    assert np.array_equal(answer(kept, noise(GATE_SIDE)), before)
