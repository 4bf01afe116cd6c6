"""Finishes the folder of a bundle: what was learnt, look-alikes, golden predictions, manifest. Loads no framework."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.labels import cancer_classes
from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import Preprocessing, preprocess
from hilum.inference.bundle import HISTORY, MANIFEST, copy_gate, file_digest
from hilum.inference.calibration import calibrated_probabilities
from hilum.inference.engines import OnnxEngine
from hilum.inference.input_reference import INPUTS, InputReference
from hilum.inference.manifest import Conformal, Golden, Manifest, Parity
from hilum.inference.neighbours import NEIGHBOURS, Neighbours
from hilum.training.corpus import Corpus
from hilum.training.decision import COVERAGE, Decision
from hilum.training.split_rows import SplitRows

KERAS, FP32, INT8 = "model.keras", "model.onnx", "model.int8.onnx"
_GOLDEN_SEEDS = (0, 1, 2, 3)


@dataclass(frozen=True)
class Learnt:
    """What was learnt about a classifier without the test set.

    Attributes:
        held_out_logits: (N, C) of the corpus's slices, by fits that had not learnt them; NaN where no fit held one out.
    """

    architecture: str
    preprocessing: Preprocessing
    corpus: Corpus
    decision: Decision
    history: list[dict[str, float]]
    class_counts: dict[str, dict[str, int]]
    splits: SplitRows
    settings: dict[str, str | int | float | bool | None]
    held_out_logits: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Graphs:
    """The graphs in a bundle's folder, the one to serve first, and how far each is from Keras."""

    files: tuple[str, ...]
    parity: dict[str, Parity]


def begin_bundle(out: Path) -> Path:
    """An empty folder beside `out`, for the files of the bundle."""
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    return partial


def finish_bundle(
    learnt: Learnt,
    graphs: Graphs,
    neighbours: Neighbours,
    inputs: InputReference,
    out: Path,
    *,
    gate_from: Path | None = None,
) -> Manifest:
    """Adds what is no graph, and the manifest; `out` is replaced only now, when all of it is there.

    Args:
        learnt: about the model whose graphs lie in the folder of `begin_bundle`.
        graphs: those graphs.
        neighbours: its training slices.
        inputs: what they were like.
        out: the bundle's folder.
        gate_from: the bundle whose gate is taken over; `out` itself may be it.
    """
    partial = out.with_name(f"{out.name}.partial")
    neighbours.save(partial / NEIGHBOURS)
    inputs.save(partial / INPUTS)
    (partial / HISTORY).write_text(
        json.dumps(
            {
                "training_history": learnt.history,
                "class_distribution": learnt.class_counts,
                "trained_on_sha256": [item.record.sha256 for item in learnt.corpus.slices],
                "held_out_logits": _known_rows(learnt.held_out_logits),
                **learnt.splits.to_dict(),
            },
            indent=1,
        )
    )
    gate = copy_gate(gate_from, partial) if gate_from else None
    manifest = _describe(learnt, graphs.files, graphs.parity, partial).model_copy(update={"gate": gate})
    (partial / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
    if out.exists():
        shutil.rmtree(out)
    partial.replace(out)
    return manifest


def _known_rows(logits: NDArray[np.float32] | None) -> list[list[float] | None] | None:
    if logits is None:
        return None
    return [None if np.isnan(row).any() else [round(float(value), 4) for value in row] for row in logits]


def _describe(learnt: Learnt, graphs: Sequence[str], parity: dict[str, Parity], folder: Path) -> Manifest:
    files = {file.name: file_digest(file) for file in sorted(folder.iterdir())}
    now = datetime.now(UTC).replace(microsecond=0)
    content = hashlib.sha256("".join(files.values()).encode()).hexdigest()[:8]
    return Manifest(
        model_version=f"{learnt.architecture}-{now:%Y%m%d}-{content}",
        architecture=learnt.architecture,
        created_at=now,
        hilum_version=version("hilum"),
        code_version=_code_version(),
        class_names=learnt.corpus.class_names,
        cancer_class_names=cancer_classes(learnt.corpus.class_names),
        preprocessing=learnt.preprocessing,
        temperature=learnt.decision.temperature,
        confident_above=learnt.decision.confident_above,
        conformal=Conformal(coverage=COVERAGE, set_above=learnt.decision.set_above, n=learnt.decision.n),
        dataset_digest=learnt.corpus.digest,
        sources=learnt.corpus.sources,
        engine_files=tuple(graphs),
        files=files,
        parity=parity,
        golden={file: _golden(learnt, folder / file) for file in graphs},
        training={name: value for name, value in learnt.settings.items() if value is not None},
    )


def _golden(learnt: Learnt, graph: Path) -> tuple[Golden, ...]:
    engine = OnnxEngine(graph)
    golden = []
    for seed in _GOLDEN_SEEDS:
        tensor = preprocess(draw_phantom(seed), learnt.preprocessing)
        probabilities = calibrated_probabilities(engine.run(tensor[np.newaxis]).logits, learnt.decision.temperature)[0]
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
