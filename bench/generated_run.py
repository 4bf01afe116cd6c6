"""A head run on generated features, from those kept on disk to the look-alikes: what of it grows with the images."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np

from hilum.dataset.manifest import ImageRecord
from hilum.dataset.sketch import SKETCH_SIZE
from hilum.services.reference import reference_bundle
from hilum.training.corpus import Corpus, CorpusSlice
from hilum.training.fit_settings import head_settings
from hilum.training.look_alikes import KnownSlices, neighbours_of
from hilum.training.new_head import learn_head
from hilum.training.renewal import Renewal
from hilum.training.slice_features import VIEWS, FeatureStore, SliceFeatures, take_corpus
from hilum.training.watch import Watch


def renew_generated(count: int, folder: Path) -> dict[str, float]:
    """Fits a new head of the reference model to so many slices, whose features are written into `folder` before.

    Returns:
        Seconds by step: reading the features, both fits, and what the bundle keeps of look-alikes.
    """
    renewal = Renewal.of(reference_bundle())
    names = renewal.parent.manifest.class_names
    slices = tuple(_slice(number, names) for number in range(count))
    store = FeatureStore(folder, renewal.graphs.key)
    _fill(store, slices, len(renewal.head.kernel))
    corpus = Corpus(names, slices, ("generated",), "")
    times = [time.perf_counter()]
    features = take_corpus(corpus, renewal.graphs, store, Watch())
    times.append(time.perf_counter())
    settings = head_settings(None, starts_warm=True)
    learn_head(
        corpus,
        features,
        renewal.parent,
        renewal.head,
        settings=settings,
        progress=lambda *_: None,
        watch=Watch(),
    )
    times.append(time.perf_counter())
    records = tuple(one.record for one in slices)
    neighbours_of(KnownSlices(records, features.sketches, are_named=False), features.served)
    times.append(time.perf_counter())
    return dict(zip(("features read", "both fits", "look-alikes"), np.diff(times).tolist(), strict=True))


def _slice(number: int, names: tuple[str, ...]) -> CorpusSlice:
    label = number % len(names)
    record = ImageRecord(
        path=f"{number}.png", sha256=hashlib.sha256(str(number).encode()).hexdigest(), class_name=names[label],
        split="train", group=f"g{number // 10}", source="generated", file_format="png", width=512, height=512, mode="L",
        size_bytes=100_000,
    )  # fmt: skip
    return CorpusSlice(Path(record.path), record, (label,), 0)


def _fill(store: FeatureStore, slices: tuple[CorpusSlice, ...], size: int) -> None:
    """Features that are noise, but for one direction of each class."""
    rng = np.random.default_rng(0)
    for one in slices:
        views = rng.standard_normal((VIEWS, size), np.float32)
        views[:, one.allowed[0]] += 2
        sketch = rng.standard_normal(SKETCH_SIZE, np.float32)
        store.put(one.record.sha256, SliceFeatures(views, views[0], sketch, {"mean": float(views.mean())}))
