"""A new head on a champion's frozen backbone: from a data set to a bundle in a minute. Reads top to bottom.

Everything is done on the champion's exported graphs; Keras is loaded in the end, for the copy that a full training may
start from, and to compare the new graphs with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.labels import LabelScheme
from hilum.dataset.manifest import DatasetManifest
from hilum.errors import TrainingFailed
from hilum.imaging.decode import decode
from hilum.imaging.preprocess import preprocess
from hilum.inference.bundle import Bundle, gate_of
from hilum.inference.engines import OnnxEngine
from hilum.inference.input_reference import InputReference
from hilum.inference.manifest import Parity
from hilum.training.bundle_writer import FP32, INT8, KERAS, Graphs, Learnt, begin_bundle, finish_bundle
from hilum.training.corpus import gather
from hilum.training.fit_settings import head_settings
from hilum.training.graph_head import Backbone, head_of
from hilum.training.linear_head import LinearHead
from hilum.training.look_alikes import KnownSlices, neighbours_of
from hilum.training.new_head import learn_head
from hilum.training.parent import Parent
from hilum.training.parity import measure_parity, require_parity
from hilum.training.slice_features import CorpusFeatures, FeatureStore, FrozenGraphs, take_corpus
from hilum.training.split_rows import SplitRows
from hilum.training.sufficiency import require_enough, require_replaceable
from hilum.training.watch import Progress, Watch

_COMPARED = 128
"""Slices on which Keras and the graphs are compared."""

_AGREEMENT = 0.995
"""8 bits go on serving where at most 1 slice in 200 changes its class."""


@dataclass(frozen=True)
class Renewal:
    """A champion whose head can be renewed.

    Attributes:
        parent: its bundle.
        backbones: by file, its graphs without their head.
        head: the one they carry.
        graphs: to take features with.
    """

    parent: Parent
    backbones: dict[str, Backbone]
    head: LinearHead
    graphs: FrozenGraphs

    @classmethod
    def of(cls, directory: Path) -> Renewal:
        """Opens a bundle and takes its graphs apart.

        Raises:
            BundleInvalid: it is damaged, or has no Keras model.
            TrainingFailed: its graphs have no linear head, or do not give their features.
        """
        parent = Parent.open(directory)
        manifest = parent.manifest
        if not set(manifest.engine_files) <= {FP32, INT8} or FP32 not in manifest.engine_files:
            raise TrainingFailed(f"{manifest.model_version} has no {FP32}; run a full training")
        backbones = {file: Backbone.of(directory / file) for file in manifest.engine_files}
        digest = hashlib.sha256("".join(one.digest for one in backbones.values()).encode()).hexdigest()
        served = Bundle(directory, manifest).load_engine(threads=1)
        graphs = FrozenGraphs(OnnxEngine(directory / FP32, threads=1), served, manifest.preprocessing, digest)
        return cls(parent, backbones, head_of(directory / FP32), graphs)

    def served_features(self, kept_in: Path, digests: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """By sha256, what the serving graph made of slices, as far as an earlier `renew_head` kept it."""
        store = FeatureStore(kept_in, self.graphs.key)
        found = ((sha256, store.get(sha256)) for sha256 in digests)
        return {sha256: one.served for sha256, one in found if one is not None}


def renew_head(
    manifest: DatasetManifest,
    out: Path,
    renewal: Renewal,
    progress: Progress,
    *,
    kept_in: Path,
    epochs: int | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> Path:
    """Fits a new head to every split but `test`, starting at the champion's, and writes a bundle to `out`.

    Args:
        manifest: the data set, with groups; classes that the champion does not know must be left out of it.
        out: the bundle's folder, made or replaced.
        renewal: the champion.
        progress: told of each step.
        kept_in: folder in which features of slices are kept from one run to the next.
        epochs: at the most; None takes the usual number.
        seed: of the folds and of the fit.
        watch: told of each epoch and slice.

    Returns:
        `out`.

    Raises:
        TrainingFailed: the data do not suffice, or the graphs do not reproduce Keras.
    """
    require_replaceable(out)
    watch, parent = watch or Watch(), renewal.parent
    corpus = gather([manifest], LabelScheme.of(parent.manifest.class_names))
    require_enough(corpus)
    store = FeatureStore(kept_in, renewal.graphs.key)
    features = take_corpus(corpus, renewal.graphs, store, watch)
    settings = head_settings(epochs, starts_warm=True, seed=seed)
    new = learn_head(corpus, features, parent, renewal.head, settings=settings, progress=progress, watch=watch)
    progress("pack", 0.0, "the graphs get their new head")
    learnt = Learnt(
        architecture=parent.manifest.architecture,
        preprocessing=parent.manifest.preprocessing,
        corpus=corpus,
        decision=new.decision,
        history=new.tried.history,
        class_counts=manifest.class_counts(),
        splits=SplitRows((), ()),
        settings={
            "mode": "head",
            "parent": parent.manifest.model_version,
            "side": parent.manifest.preprocessing.side,
            "seed": seed,
            "epochs": settings.epochs,
            "best_epoch": new.tried.best_epoch,
            "epochs_fitted": len(new.fitted.history),
            "slices": len(corpus.slices),
            "held_out_slices": new.n_held_out,
            "held_out_accuracy": new.decision.accuracy,
        },
    )
    _write(renewal, learnt, features, new.fitted.head, out)
    progress("pack", 1.0, "done")
    return out


def _write(renewal: Renewal, learnt: Learnt, features: CorpusFeatures, head: LinearHead, out: Path) -> None:
    partial = begin_bundle(out)
    exact, served = head.logits(features.views[0]), head.logits(features.served)
    files = [file for file in renewal.backbones if file == FP32 or _agree(exact, served)]
    for file in files:
        renewal.backbones[file].with_head(head, partial / file)
    parity = _parity(renewal, learnt, head, partial, files)
    records = tuple(item.record for item in learnt.corpus.slices)
    # None is named: files are called by their hash.
    known = KnownSlices(records, features.sketches, are_named=False, statistics=features.statistics)
    neighbours = neighbours_of(known, features.served if files[0] == INT8 else features.views[0])
    predicted = [learnt.corpus.class_names[int(best)] for best in exact.argmax(axis=1)]
    inputs = InputReference.of(features.statistics, predicted)
    directory = renewal.parent.directory
    gate_from = directory if gate_of(directory) else None
    finish_bundle(learnt, Graphs(tuple(files), parity), neighbours, inputs, out, gate_from=gate_from)


def _agree(exact: NDArray[np.float32], served: NDArray[np.float32]) -> bool:
    return float((exact.argmax(axis=1) == served.argmax(axis=1)).mean()) >= _AGREEMENT


def _parity(renewal: Renewal, learnt: Learnt, head: LinearHead, folder: Path, files: list[str]) -> dict[str, Parity]:
    """Puts the head on the Keras model too, and compares each graph with it on some slices."""
    from hilum.training.keras_copy import save_with_head

    rows = np.random.default_rng(0).permutation(len(learnt.corpus.slices))[:_COMPARED]
    chosen = [learnt.corpus.slices[row] for row in rows]
    tensors = np.stack([preprocess(decode(item.file.read_bytes()).pixels, learnt.preprocessing) for item in chosen])
    expected = save_with_head(renewal.parent.directory / KERAS, head, folder / KERAS, tensors)
    found = {file: measure_parity(expected, folder / file, tensors, learnt.decision.temperature) for file in files}
    require_parity(found[FP32])
    return found
