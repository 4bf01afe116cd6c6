"""Runs a model's graph: tensor in, raw outputs out. Knows no classes, calibration or preprocessing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from hilum.errors import BundleInvalid
from hilum.inference.graph_safety import check_graph


@dataclass(frozen=True)
class EngineOutput:
    """What the graph returns for a batch.

    Attributes:
        logits: (N, C) float32, before calibration.
        activation_maps: (N, h, w, C) float32, whose mean over (h, w) plus the bias is `logits`.
        features: (N, F) float32, what the linear head reads; None where the graph is older than this output.
    """

    logits: NDArray[np.float32]
    activation_maps: NDArray[np.float32]
    features: NDArray[np.float32] | None = None


class Engine(Protocol):
    """A runtime with one model loaded; safe to call from several threads."""

    name: str

    def run(self, batch: NDArray[np.float32]) -> EngineOutput:
        """Computes logits, class-activation maps and features of (N, side, side, 1) slices in [0, 1]."""
        ...


class OnnxEngine:
    """ONNX Runtime on the CPU."""

    def __init__(self, model: Path, *, threads: int = 1) -> None:
        """Loads `model`.

        Args:
            model: an ONNX file with outputs `logits` and `activation_maps`, and `features` where it has them.
            threads: cores one call may use; with many concurrent callers 1 gives the most throughput.

        Raises:
            BundleInvalid: the file is no such model.
        """
        self.name = f"onnxruntime {onnxruntime.__version__}"
        self._session = open_session(model, threads=threads)
        self._input = self._session.get_inputs()[0].name
        has_features = "features" in {output.name for output in self._session.get_outputs()}
        self._outputs = ["logits", "activation_maps", *(["features"] if has_features else [])]

    def run(self, batch: NDArray[np.float32]) -> EngineOutput:
        """Computes logits, class-activation maps and features of (N, side, side, 1) slices in [0, 1]."""
        return EngineOutput(*self._session.run(self._outputs, {self._input: batch}))


def open_session(graph: Path, *, threads: int, one_at_a_time: bool = False) -> onnxruntime.InferenceSession:
    """Loads a graph on the CPU.

    Args:
        graph: an ONNX file.
        threads: cores one call may use.
        one_at_a_time: batches are of one, so that the shapes of a graph of one input are computed once and not in
            each call.

    Raises:
        BundleInvalid: ONNX Runtime cannot load it, or it could do more than compute.
    """
    try:
        data = graph.read_bytes()
    except OSError as error:
        raise BundleInvalid(f"{graph.name} cannot be read: {error.strerror}") from error
    check_graph(data, graph.name)
    options = _options(threads)
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        batch = session.get_inputs()[0].shape[0]
        if not one_at_a_time or not isinstance(batch, str):
            return session
        options.add_free_dimension_override_by_name(batch, 1)
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BundleInvalid(f"{graph.name} is not a model ONNX Runtime can load: {error}") from error


def _options(threads: int) -> onnxruntime.SessionOptions:
    _share_arena()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.use_env_allocators", "1")
    return options


@cache
def _share_arena() -> None:
    """Has all graphs of the process compute in the same memory: what the one has just left is still in the caches."""
    arena, default = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, onnxruntime.OrtMemType.DEFAULT
    memory = onnxruntime.OrtMemoryInfo("Cpu", arena, 0, default)
    onnxruntime.create_and_register_allocator(memory, None)
