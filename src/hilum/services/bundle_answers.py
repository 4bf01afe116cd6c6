"""What two bundles say of the same labelled images. Runs them; decides nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.manifest import ImageRecord
from hilum.imaging.decode import CtSlice, decode
from hilum.imaging.preprocess import preprocess
from hilum.inference.bundle import Bundle, open_bundle
from hilum.inference.calibration import calibrated_probabilities
from hilum.inference.engines import Engine
from hilum.inference.gate import Gate

Progress = Callable[[float], None]
"""Called with the share that is done; it may raise to stop."""

_TIMED = 20
_ROUNDS = 5


@dataclass(frozen=True)
class LoadedBundle:
    """A bundle whose served graph and gate are loaded.

    Attributes:
        graph_bytes: size of its largest graph.
    """

    bundle: Bundle
    engine: Engine
    gate: Gate | None
    graph_bytes: int

    @classmethod
    def load(cls, directory: Path) -> LoadedBundle:
        """Opens, verifies and loads a bundle.

        Raises:
            BundleInvalid: it is damaged, or does not answer as when it was made.
        """
        bundle = open_bundle(directory)
        sizes = [(directory / file).stat().st_size for file in bundle.manifest.engine_files]
        return cls(bundle, bundle.load_engine(threads=1), bundle.load_gate(threads=1), max(sizes))

    def tensor(self, ct_slice: CtSlice) -> NDArray[np.float32]:
        """The slice as its graph wants it, (1, side, side, 1)."""
        return preprocess(ct_slice.pixels, self.bundle.manifest.preprocessing)[np.newaxis]


@dataclass(frozen=True)
class BundleAnswers:
    """What a bundle says of N images.

    Attributes:
        class_names: the columns.
        probabilities: (N, C) float64, calibrated.
        features: (N, F) float32, what its head reads; its logits where the graph is older than that output.
        is_refused: (N,) whether its gate takes the image for something else.
    """

    class_names: tuple[str, ...]
    probabilities: NDArray[np.float64]
    features: NDArray[np.float32]
    is_refused: NDArray[np.bool_]

    def over(self, class_names: Sequence[str]) -> NDArray[np.float64]:
        """(N, len(class_names)) the probabilities in another order; a class it does not know has 0."""
        columns = np.zeros((len(self.probabilities), len(class_names)))
        for index, name in enumerate(self.class_names):
            columns[:, class_names.index(name)] = self.probabilities[:, index]
        return columns


def answer_all(
    bundles: Sequence[LoadedBundle], records: Sequence[ImageRecord], root: Path, progress: Progress | None = None
) -> tuple[BundleAnswers, ...]:
    """Has each bundle answer each image, which is read and decoded once.

    Args:
        bundles: loaded.
        records: the images.
        root: the folder their paths are relative to.
        progress: told how far it is, after each image.

    Raises:
        InputRejected: an image cannot be decoded.
    """
    rows: list[list[tuple[NDArray[np.float32], NDArray[np.float32], bool]]] = [[] for _ in bundles]
    for done, record in enumerate(records, 1):
        ct_slice = decode((root / record.path).read_bytes())
        for loaded, found in zip(bundles, rows, strict=True):
            output = loaded.engine.run(loaded.tensor(ct_slice))
            features = output.logits if output.features is None else output.features
            is_refused = loaded.gate is not None and loaded.gate.judge(ct_slice.pixels).is_refused
            found.append((output.logits[0], features[0], is_refused))
        if progress is not None:
            progress(done / len(records))
    return tuple(_answers(loaded, found) for loaded, found in zip(bundles, rows, strict=True))


def milliseconds_per_slice(
    bundles: Sequence[LoadedBundle], records: Sequence[ImageRecord], root: Path
) -> tuple[float, ...]:
    """How much of one core each bundle's graph takes for a slice: the least of several rounds.

    The processor's time and not the clock's, since training and serving may keep the machine busy; a graph on one
    thread runs in the thread that asks.
    """
    slices = [decode((root / record.path).read_bytes()) for record in records[:_TIMED]]
    tensors = [[loaded.tensor(ct_slice) for ct_slice in slices] for loaded in bundles]
    least = [float("inf")] * len(bundles)
    for _ in range(_ROUNDS):
        for index, loaded in enumerate(bundles):
            started_at = time.thread_time()
            for tensor in tensors[index]:
                loaded.engine.run(tensor)
            least[index] = min(least[index], (time.thread_time() - started_at) * 1000 / max(1, len(slices)))
    return tuple(least)


def _answers(
    loaded: LoadedBundle, rows: Sequence[tuple[NDArray[np.float32], NDArray[np.float32], bool]]
) -> BundleAnswers:
    manifest = loaded.bundle.manifest
    logits = np.stack([row[0] for row in rows]) if rows else np.empty((0, len(manifest.class_names)), np.float32)
    features = np.stack([row[1] for row in rows]) if rows else np.empty((0, 1), np.float32)
    return BundleAnswers(
        class_names=manifest.class_names,
        probabilities=calibrated_probabilities(logits, manifest.temperature),
        features=features,
        is_refused=np.array([row[2] for row in rows], bool),
    )
