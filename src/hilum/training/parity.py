"""How far a graph's probabilities lie from Keras's, and how far they may. Loads no framework."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.errors import TrainingFailed
from hilum.inference.calibration import calibrated_probabilities
from hilum.inference.engines import OnnxEngine
from hilum.inference.manifest import Parity
from hilum.training.stored_rows import StoredRows

MAX_PARITY_DIFFERENCE = 1e-3
"""Of the graph in full precision."""


def measure_parity(
    expected: NDArray[np.float32],
    path: Path,
    tensors: NDArray[np.float32] | StoredRows,
    temperature: float,
    *,
    rows: NDArray[np.intp] | None = None,
) -> Parity:
    """Compares the probabilities of the ONNX model at `path` with Keras's.

    Args:
        expected: Keras's logits (N, C).
        path: the graph.
        tensors: (N, side, side, 1).
        temperature: that makes logits probabilities.
        rows: indices of the slices compared; None compares all.
    """
    engine = OnnxEngine(path, threads=0)
    compared = np.arange(len(expected)) if rows is None else rows
    got = np.concatenate([engine.run(tensors[compared[i : i + 32]]).logits for i in range(0, len(compared), 32)])
    reference = calibrated_probabilities(expected[compared], temperature)
    served = calibrated_probabilities(got, temperature)
    return Parity(
        n=len(compared),
        max_probability_difference=float(np.abs(reference - served).max()),
        agreement=float((reference.argmax(1) == served.argmax(1)).mean()),
    )


def require_parity(exact: Parity) -> None:
    """Returns where the graph in full precision reproduces Keras.

    Raises:
        TrainingFailed: it does not.
    """
    if exact.max_probability_difference > MAX_PARITY_DIFFERENCE:
        raise TrainingFailed(
            f"the ONNX graph's probabilities differ from Keras's by {exact.max_probability_difference:.2g}; "
            f"at most {MAX_PARITY_DIFFERENCE:g} is allowed"
        )
