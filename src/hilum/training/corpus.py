"""What a model learns from: the usable slices of one or several data sets and what their labels allow. No pixels."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.labels import LabelScheme
from hilum.dataset.manifest import DatasetManifest, ImageRecord


@dataclass(frozen=True)
class CorpusSlice:
    """One image to learn from.

    Attributes:
        file: where it lies.
        record: what its data set says of it.
        allowed: indices of the classes it may have; more than one where the label is coarse.
        source: index of its data set.
    """

    file: Path
    record: ImageRecord
    allowed: tuple[int, ...]
    source: int


@dataclass(frozen=True)
class Corpus:
    """Slices of one or several data sets, none of them from a test split, each content once.

    Attributes:
        class_names: the model's classes.
        slices: N slices, data set by data set.
        sources: the data sets' names.
        digest: sha256 over the data sets' digests, and that of the data set itself where it is one.
    """

    class_names: tuple[str, ...]
    slices: tuple[CorpusSlice, ...]
    sources: tuple[str, ...]
    digest: str

    @cached_property
    def targets(self) -> NDArray[np.float32]:
        """(N, C), 1 for each class a slice may have."""
        targets = np.zeros((len(self.slices), len(self.class_names)), np.float32)
        for row, item in enumerate(self.slices):
            targets[row, list(item.allowed)] = 1
        return targets

    @cached_property
    def strata(self) -> NDArray[np.int64]:
        """(N,) what folds should hold equal shares of: each label of each data set."""
        names = [(item.source, item.allowed) for item in self.slices]
        numbers = {name: number for number, name in enumerate(sorted(set(names)))}
        return np.array([numbers[name] for name in names], np.int64)

    @cached_property
    def classes(self) -> NDArray[np.int64]:
        """(N,) the class of each slice, the first of those it may have where the label is coarse."""
        return np.array([item.allowed[0] for item in self.slices], np.int64)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """(N,) groups; data sets share none, whatever they call theirs."""
        return tuple(f"{item.source}:{item.record.group}" for item in self.slices)

    @cached_property
    def source_of(self) -> NDArray[np.int64]:
        """(N,) index of each slice's data set."""
        return np.array([item.source for item in self.slices], np.int64)

    def counts(self) -> Counter[str]:
        """Slices by class, of those whose class is known exactly."""
        return Counter(self.class_names[item.allowed[0]] for item in self.slices if len(item.allowed) == 1)


def gather(manifests: Sequence[DatasetManifest], scheme: LabelScheme) -> Corpus:
    """Collects what may be learnt from: no test split, no content twice, nothing of which the labels contradict.

    Raises:
        DatasetInvalid: a label is unknown to the scheme.
    """
    candidates = [
        CorpusSlice(manifest.path_of(record), record, scheme.allowed(record.class_name), source)
        for source, manifest in enumerate(manifests)
        for record in manifest.trainable_records(splits=("train", "valid", ""))
    ]
    tested = {record.sha256 for manifest in manifests[1:] for record in manifest.of_split("test")}
    allowed: dict[str, set[int]] = {}
    for item in candidates:
        allowed[item.record.sha256] = allowed.get(item.record.sha256, set(item.allowed)) & set(item.allowed)
    kept: dict[str, CorpusSlice] = {}
    for item in candidates:
        digest = item.record.sha256
        is_narrowest = digest not in kept or len(item.allowed) < len(kept[digest].allowed)
        if allowed[digest] and digest not in tested and is_narrowest:
            kept[digest] = item
    digests = [manifest.digest for manifest in manifests]
    whole = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    return Corpus(scheme.class_names, tuple(kept.values()), tuple(m.source for m in manifests), whole)
