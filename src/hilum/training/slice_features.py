"""What a frozen backbone makes of each slice, kept by content: only what is new is computed. Fits nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.groups import fingerprint_of
from hilum.dataset.sketch import sketch_of
from hilum.errors import TrainingFailed
from hilum.imaging.decode import decode
from hilum.imaging.preprocess import Preprocessing, preprocess
from hilum.imaging.statistics import statistics_of
from hilum.inference.engines import Engine
from hilum.training.augmentation import BASE_SCALE, Augmentation
from hilum.training.corpus import Corpus, CorpusSlice
from hilum.training.probes.cases import in_parallel
from hilum.training.watch import Watch

VIEWS = 4
"""Feature vectors taken of each slice: as served, mirrored, and augmented ones. More gain little for their time."""

_RECIPE = 1
"""Of what is kept: another number leaves what is there aside."""


@dataclass(frozen=True)
class SliceFeatures:
    """What is kept of one slice.

    Attributes:
        views: (VIEWS, F) float32 of the graph in full precision; the first is the slice as served.
        served: (F,) float32 of the graph that serves.
        sketch: (128,) float32, see `hilum.dataset.sketch`.
        statistics: see `hilum.imaging.statistics`.
    """

    views: NDArray[np.float32]
    served: NDArray[np.float32]
    sketch: NDArray[np.float32]
    statistics: dict[str, float]


@dataclass(frozen=True)
class CorpusFeatures:
    """Of N slices, in the corpus's order; see `SliceFeatures`.

    Attributes:
        views: (VIEWS, N, F).
        served: (N, F).
        sketches: (N, 128).
        statistics: of each.
    """

    views: NDArray[np.float32]
    served: NDArray[np.float32]
    sketches: NDArray[np.float32]
    statistics: tuple[dict[str, float], ...]


@dataclass(frozen=True)
class FrozenGraphs:
    """A backbone in full precision and as it serves.

    Attributes:
        exact, served: graphs that give features.
        preprocessing: of their input.
        digest: names both, whichever heads they carry.
    """

    exact: Engine
    served: Engine
    preprocessing: Preprocessing
    digest: str

    @property
    def key(self) -> str:
        """Names what is taken of a slice: another key, another file."""
        recipe = [_RECIPE, VIEWS, self.digest, self.preprocessing.model_dump(), repr(Augmentation())]
        return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:32]

    def take(self, item: CorpusSlice) -> SliceFeatures:
        """Decodes a slice and runs both graphs; the same slice gives the same views."""
        pixels = decode(item.file.read_bytes(), name=item.record.path).pixels
        side = self.preprocessing.side
        body = self.preprocessing.body_of(pixels)
        enlarged = self.preprocessing.model_copy(update={"side": round(side * BASE_SCALE)})
        tensor = preprocess(pixels, self.preprocessing, body)
        base = np.rint(preprocess(pixels, enlarged, body)[..., 0] * 255).astype(np.uint8)
        rng = np.random.default_rng(int(item.record.sha256[:16], 16))
        variants = [Augmentation().apply(base, side, rng)[..., np.newaxis] for _ in range(VIEWS - 2)]
        views = _features(self.exact, np.stack([tensor, tensor[:, ::-1], *variants]))
        served = _features(self.served, tensor[np.newaxis])
        sketch = sketch_of(fingerprint_of(pixels, body)[np.newaxis])[0]
        return SliceFeatures(views, served[0], sketch, statistics_of(pixels, body))


def _features(engine: Engine, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    features = engine.run(batch).features
    if features is None:
        raise TrainingFailed(f"a graph on {engine.name} does not give the features that its head reads")
    return features


class FeatureStore:
    """A folder with a file for each slice, written whole or not at all; what cannot be read is computed again."""

    def __init__(self, folder: Path, key: str) -> None:
        """Files of other keys are of another backbone, and are removed."""
        self._folder = folder / key
        for other in folder.glob("*"):
            if other != self._folder:
                shutil.rmtree(other, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)

    def get(self, sha256: str) -> SliceFeatures | None:
        """What is kept of a slice; None where that is nothing."""
        try:
            with np.load(self._file(sha256), allow_pickle=False) as kept:
                statistics = json.loads(str(kept["statistics"]))
                return SliceFeatures(kept["views"], kept["served"], kept["sketch"], statistics)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def put(self, sha256: str, features: SliceFeatures) -> None:
        """Keeps what was taken of a slice; a disk that is full keeps nothing, and nothing is lost by that."""
        partial = self._folder / f"{sha256}.partial"
        with suppress(OSError):
            with partial.open("wb") as file:
                np.savez(
                    file,
                    views=features.views,
                    served=features.served,
                    sketch=features.sketch,
                    statistics=np.array(json.dumps(features.statistics)),
                )
            partial.replace(self._file(sha256))

    def keep_only(self, digests: Sequence[str]) -> None:
        """Removes what is kept of all other slices: of an image that was deleted nothing stays."""
        wanted = {self._file(sha256).name for sha256 in digests}
        for file in self._folder.iterdir():
            if file.name not in wanted:
                file.unlink(missing_ok=True)

    def _file(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.npz"


def take_corpus(corpus: Corpus, graphs: FrozenGraphs, store: FeatureStore, watch: Watch) -> CorpusFeatures:
    """Takes what is kept of each slice, and computes the rest on all cores that this process may use.

    Pixels are let go of with each slice: 26 kB of it stay in memory.

    Args:
        corpus: at least one slice.
        graphs: with one thread each.
        store: of these graphs.
        watch: told which share is done, after each slice, what it raises ends it; rests after what was computed.
    """
    first = _taken(corpus.slices[0], graphs, store, watch)
    n_slices, n_features = len(corpus.slices), len(first.served)
    views = np.empty((VIEWS, n_slices, n_features), np.float32)
    served = np.empty((n_slices, n_features), np.float32)
    sketches = np.empty((n_slices, len(first.sketch)), np.float32)

    def fill(row: int) -> dict[str, float]:
        one = _taken(corpus.slices[row], graphs, store, watch) if row else first
        views[:, row], served[row], sketches[row] = one.views, one.served, one.sketch
        return one.statistics

    statistics = in_parallel(fill, range(n_slices), lambda share: watch.on_batch("features", share))
    store.keep_only([item.record.sha256 for item in corpus.slices])
    return CorpusFeatures(views, served, sketches, tuple(statistics))


def _taken(item: CorpusSlice, graphs: FrozenGraphs, store: FeatureStore, watch: Watch) -> SliceFeatures:
    kept = store.get(item.record.sha256)
    if kept is None:
        began_at = time.monotonic()
        kept = graphs.take(item)
        store.put(item.record.sha256, kept)
        watch.rest(time.monotonic() - began_at)
    return kept
