"""Images whose features are made up, for trials of uploads that mean harm."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from bench.poison import Images

from hilum.dataset.manifest import ImageRecord
from hilum.training.corpus import CorpusSlice
from hilum.training.slice_features import VIEWS, CorpusFeatures

SIZE = 30


def images(n: int, seed: int, n_groups: int) -> Images:
    """Four clouds, a class each; the champion is right on all but some."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    views = (4 * np.eye(4, SIZE)[labels] + rng.normal(0, 1, (VIEWS, n, SIZE))).astype(np.float32)
    said = np.where(rng.random(n) < 0.02, (labels + 1) % 4, labels)
    probabilities = np.where(np.eye(4)[said] > 0, 0.97, 0.01)
    slices = tuple(one_slice(f"{seed}-{row}", f"{seed}-{row % n_groups}", int(labels[row])) for row in range(n))
    features = CorpusFeatures(views, views[0], np.zeros((n, 128), np.float32), ({},) * n)
    return Images(slices, features, probabilities)


def one_slice(name: str, group: str, label: int) -> CorpusSlice:
    record = ImageRecord(
        path=f"{name}.png", sha256=hashlib.sha256(name.encode()).hexdigest(), class_name=str(label), split="train",
        group=group, source="trial", file_format="png", width=64, height=64, mode="L", size_bytes=100,
    )  # fmt: skip
    return CorpusSlice(Path(name), record, (label,), 0)
