"""Writes a trained Keras model as a bundle: graphs and their parity, then all else. The inverse of `open_bundle`."""

from __future__ import annotations

import time
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from hilum.inference.engines import OnnxEngine
from hilum.inference.input_reference import InputReference
from hilum.inference.manifest import Manifest, Parity
from hilum.training.bundle_writer import FP32, INT8, KERAS, Graphs, Learnt, begin_bundle, finish_bundle
from hilum.training.export import export_onnx, quantise
from hilum.training.keras_answers import answers_of
from hilum.training.look_alikes import make_neighbours, read_known_slices
from hilum.training.parity import measure_parity, require_parity
from hilum.training.stored_rows import StoredRows

_CALIBRATION_SLICES = 128
_TIMED_SLICES = 40


def write_bundle(
    classifier: keras.Model,
    learnt: Learnt,
    tensors: NDArray[np.float32] | StoredRows,
    hold: NDArray[np.int64],
    out: Path,
    *,
    gate_from: Path | None = None,
) -> Manifest:
    """Exports, checks and writes the bundle; `out` is replaced only when all of it is there.

    Args:
        classifier: the fitted model.
        learnt: what was learnt about it.
        tensors: (N, side, side, 1), the slices that were not in the test set.
        hold: indices of the held-out slices among them.
        out: the bundle's folder.
        gate_from: the bundle whose gate is taken over; `out` itself may be it.

    Raises:
        TrainingFailed: the ONNX graph does not reproduce Keras.
    """
    partial = begin_bundle(out)
    uncompiled = keras.Model(classifier.input, classifier.output, name=classifier.name)
    uncompiled.save(partial / KERAS)  # without the optimizer: it loads with Keras alone
    export_onnx(classifier, partial / FP32)
    expected = answers_of(classifier, tensors)
    parity = {FP32: measure_parity(expected, partial / FP32, tensors, learnt.decision.temperature)}
    require_parity(parity[FP32])
    spread = np.random.default_rng(0).permutation(len(tensors))[:_CALIBRATION_SLICES]
    quantise(partial / FP32, partial / INT8, tensors[spread])
    # where the subtype is not known, near-equal ones may change places
    exact = np.flatnonzero(learnt.corpus.targets.sum(axis=1) == 1)
    parity[INT8] = measure_parity(expected, partial / INT8, tensors, learnt.decision.temperature, rows=exact)
    if _is_worth_serving(parity[INT8], partial, tensors[hold[:_TIMED_SLICES]]):
        graphs: tuple[str, ...] = (INT8, FP32)
    else:
        graphs = (FP32,)
        del parity[INT8]
        (partial / INT8).unlink()
    known = read_known_slices(
        ((item.file, item.record) for item in learnt.corpus.slices),
        learnt.preprocessing,
        anonymous=bool(learnt.settings.get("anonymous_neighbours")),
    )
    served = OnnxEngine(partial / graphs[0], threads=0)  # so that stored and served features agree
    neighbours = make_neighbours(known, served, tensors)
    predicted = [learnt.corpus.class_names[int(best)] for best in expected.argmax(axis=1)]
    inputs = InputReference.of(known.statistics, predicted)
    return finish_bundle(learnt, Graphs(graphs, parity), neighbours, inputs, out, gate_from=gate_from)


def _is_worth_serving(parity: Parity, folder: Path, tensors: NDArray[np.float32]) -> bool:
    """8 bits are served where at most 1 slice in 200 changes its class and a prediction is faster."""
    durations = {}
    for file in (FP32, INT8):
        engine = OnnxEngine(folder / file)
        times = []
        for row in range(len(tensors)):
            started = time.perf_counter()
            engine.run(tensors[row : row + 1])
            times.append(time.perf_counter() - started)
        durations[file] = float(np.median(times))
    return parity.agreement >= 0.995 and durations[INT8] < durations[FP32]
