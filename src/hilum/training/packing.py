"""Writes a trained model as a bundle: graphs, parity, golden predictions, manifest. The inverse of `open_bundle`."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from hilum.dataset.labels import cancer_classes
from hilum.errors import TrainingFailed
from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import Preprocessing, preprocess
from hilum.inference.bundle import HISTORY, MANIFEST, copy_gate, file_digest
from hilum.inference.calibration import calibrated_probabilities
from hilum.inference.engines import OnnxEngine
from hilum.inference.input_reference import INPUTS, InputReference
from hilum.inference.manifest import Conformal, Golden, Manifest, Parity
from hilum.inference.neighbours import NEIGHBOURS
from hilum.training.corpus import Corpus
from hilum.training.decision import COVERAGE, Decision
from hilum.training.export import export_onnx, measure_parity, quantise
from hilum.training.look_alikes import make_neighbours, read_known_slices
from hilum.training.split_rows import SplitRows

MAX_PARITY_DIFFERENCE = 1e-3
_GOLDEN_SEEDS = (0, 1, 2, 3)
_CALIBRATION_SLICES = 128
KERAS = "model.keras"
_FP32, _INT8 = "model.onnx", "model.int8.onnx"


@dataclass(frozen=True)
class Trained:
    """A fitted classifier and what was learnt about it without the test set."""

    classifier: keras.Model
    architecture: str
    preprocessing: Preprocessing
    corpus: Corpus
    decision: Decision
    history: list[dict[str, float]]
    class_counts: dict[str, dict[str, int]]
    splits: SplitRows
    settings: dict[str, str | int | float | bool | None]


def write_bundle(
    trained: Trained,
    tensors: NDArray[np.float32],
    hold: NDArray[np.int64],
    out: Path,
    *,
    gate_from: Path | None = None,
) -> Manifest:
    """Exports, checks and writes the bundle; `out` is replaced only when all of it is there.

    Args:
        trained: the model.
        tensors: (N, side, side, 1), the slices that were not in the test set.
        hold: indices of the held-out slices among them.
        out: the bundle's folder.
        gate_from: the bundle whose gate is taken over; `out` itself may be it.

    Raises:
        TrainingFailed: the ONNX graph does not reproduce Keras.
    """
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    uncompiled = keras.Model(trained.classifier.input, trained.classifier.output, name=trained.classifier.name)
    uncompiled.save(partial / KERAS)  # without the optimizer: it loads with Keras alone
    export_onnx(trained.classifier, partial / _FP32)
    expected = trained.classifier.predict(tensors, batch_size=32, verbose=0)
    parity = {_FP32: measure_parity(expected, partial / _FP32, tensors, trained.decision.temperature)}
    if parity[_FP32].max_probability_difference > MAX_PARITY_DIFFERENCE:
        raise TrainingFailed(
            f"the ONNX graph's probabilities differ from Keras's by {parity[_FP32].max_probability_difference:.2g}; "
            f"at most {MAX_PARITY_DIFFERENCE:g} is allowed"
        )
    spread = np.random.default_rng(0).permutation(len(tensors))[:_CALIBRATION_SLICES]
    quantise(partial / _FP32, partial / _INT8, tensors[spread])
    exact = trained.corpus.targets.sum(axis=1) == 1  # where the subtype is not known, near-equal ones may change places
    parity[_INT8] = measure_parity(expected[exact], partial / _INT8, tensors[exact], trained.decision.temperature)
    if _is_worth_serving(parity[_INT8], partial, tensors[hold]):
        graphs: tuple[str, ...] = (_INT8, _FP32)
    else:
        graphs = (_FP32,)
        del parity[_INT8]
        (partial / _INT8).unlink()
    known = read_known_slices(
        ((item.file, item.record) for item in trained.corpus.slices),
        trained.preprocessing,
        anonymous=bool(trained.settings.get("anonymous_neighbours")),
    )
    served = OnnxEngine(partial / graphs[0], threads=0)  # so that stored and served features agree
    make_neighbours(known, served, tensors).save(partial / NEIGHBOURS)
    predicted = [trained.corpus.class_names[int(best)] for best in expected.argmax(axis=1)]
    InputReference.of(known.statistics, predicted).save(partial / INPUTS)
    (partial / HISTORY).write_text(
        json.dumps(
            {
                "training_history": trained.history,
                "class_distribution": trained.class_counts,
                "trained_on_sha256": [item.record.sha256 for item in trained.corpus.slices],
                **trained.splits.to_dict(),
            },
            indent=1,
        )
    )
    gate = copy_gate(gate_from, partial) if gate_from else None
    manifest = _describe(trained, graphs, parity, partial).model_copy(update={"gate": gate})
    (partial / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
    if out.exists():
        shutil.rmtree(out)
    partial.replace(out)
    return manifest


def _is_worth_serving(parity: Parity, folder: Path, tensors: NDArray[np.float32]) -> bool:
    """8 bits are served where at most 1 slice in 200 changes its class and a prediction is faster."""
    durations = {}
    for file in (_FP32, _INT8):
        engine = OnnxEngine(folder / file)
        times = []
        for row in range(min(40, len(tensors))):
            started = time.perf_counter()
            engine.run(tensors[row : row + 1])
            times.append(time.perf_counter() - started)
        durations[file] = float(np.median(times))
    return parity.agreement >= 0.995 and durations[_INT8] < durations[_FP32]


def _describe(trained: Trained, graphs: tuple[str, ...], parity: dict[str, Parity], folder: Path) -> Manifest:
    files = {file.name: file_digest(file) for file in sorted(folder.iterdir())}
    now = datetime.now(UTC).replace(microsecond=0)
    content = hashlib.sha256("".join(files.values()).encode()).hexdigest()[:8]
    return Manifest(
        model_version=f"{trained.architecture}-{now:%Y%m%d}-{content}",
        architecture=trained.architecture,
        created_at=now,
        hilum_version=version("hilum"),
        code_version=_code_version(),
        class_names=trained.corpus.class_names,
        cancer_class_names=cancer_classes(trained.corpus.class_names),
        preprocessing=trained.preprocessing,
        temperature=trained.decision.temperature,
        confident_above=trained.decision.confident_above,
        conformal=Conformal(coverage=COVERAGE, set_above=trained.decision.set_above, n=trained.decision.n),
        dataset_digest=trained.corpus.digest,
        sources=trained.corpus.sources,
        engine_files=graphs,
        files=files,
        parity=parity,
        golden={file: _golden(trained, folder / file) for file in graphs},
        training={name: value for name, value in trained.settings.items() if value is not None},
    )


def _golden(trained: Trained, graph: Path) -> tuple[Golden, ...]:
    engine = OnnxEngine(graph)
    golden = []
    for seed in _GOLDEN_SEEDS:
        tensor = preprocess(draw_phantom(seed), trained.preprocessing)
        probabilities = calibrated_probabilities(engine.run(tensor[np.newaxis]).logits, trained.decision.temperature)[0]
        golden.append(Golden(phantom_seed=seed, probabilities=tuple(round(float(p), 6) for p in probabilities)))
    return tuple(golden)


def _code_version() -> str:
    """The commit the code stands at, `-dirty` where it was changed, or `unknown` outside a checkout."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return described.stdout.strip() or "unknown"
