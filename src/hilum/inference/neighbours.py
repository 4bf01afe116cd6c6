"""The training slices a model knows, by its own features: which are most like an input, and is it one of them.

Holds numbers, names and hashes; no pixels. How they are made is training's work.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.sketch import SAME_SLICE, SKETCH_SIZE
from hilum.errors import BundleInvalid

NEIGHBOURS = "neighbours.npz"

TrainingMatch = Literal["same-file", "same-slice"]

_LARGEST_BYTES = 4_000_000_000
"""Unpacked; a bundle of a million slices stays below."""


@dataclass(frozen=True)
class LookAlike:
    """A training slice that resembles an input.

    Attributes:
        class_name: the label it was trained with.
        name: its path in the data set; None where the bundle keeps no names.
        source: the collection it comes from.
        similarity: cosine of the two slices' features about the training mean: 1 for the same slice, about 0 for
            two that have no more in common than any two slices.
    """

    class_name: str
    name: str | None
    source: str
    similarity: float


@dataclass(frozen=True)
class Neighbours:
    """What a bundle keeps of its N training slices.

    Attributes:
        mean: (F,) float32, of the features.
        projection: (F, D) float32, from centred features to the D compared ones.
        features: (N, D) float32, compared features of length 1.
        sketches: (N, 128) float32 of length 1, see `hilum.dataset.sketch`.
        sha256: (N, 32) uint8, of the files.
        labels: class names that occur, also coarse ones that the model does not answer with.
        label_index: (N,) into `labels`.
        sources: collections that occur.
        source_index: (N,) into `sources`.
        names: (N,) paths in the data set; empty texts where they are left out.
    """

    mean: NDArray[np.float32]
    projection: NDArray[np.float32]
    features: NDArray[np.float32]
    sketches: NDArray[np.float32]
    sha256: NDArray[np.uint8]
    labels: NDArray[np.str_]
    label_index: NDArray[np.uint16]
    sources: NDArray[np.str_]
    source_index: NDArray[np.uint16]
    names: NDArray[np.str_]

    def __len__(self) -> int:
        """N."""
        return len(self.features)

    @property
    def n_features(self) -> int:
        """F: the length of the feature vectors the model gives."""
        return len(self.mean)

    @cached_property
    def _files(self) -> frozenset[bytes]:
        return frozenset(row.tobytes() for row in self.sha256)

    def save(self, path: Path) -> None:
        """Writes the arrays, compressed, most floats as float16."""
        arrays = {name: getattr(self, name) for name in _KINDS}
        for name in ("projection", "features", "sketches"):  # not the mean, from which features differ little
            arrays[name] = arrays[name].astype(np.float16)
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Neighbours:
        """Reads what `save` wrote.

        Raises:
            BundleInvalid: the file is no such archive, or its arrays do not fit together.
        """
        try:
            _refuse_bomb(path)
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in _KINDS}
        except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
            raise BundleInvalid(f"{path.name} cannot be read: {error}") from error
        if fault := _fault_of(arrays):
            raise BundleInvalid(f"{path.name} is damaged: {fault}")
        widened = {name: a.astype(np.float32) if a.dtype.kind == "f" else a for name, a in arrays.items()}
        for name in ("features", "sketches"):
            widened[name] = unit_rows(widened[name])  # float16 rounded their length
        return cls(**widened)

    def compared(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turns features (M, F) as the model gives them into those compared, (M, D) of length 1."""
        return unit_rows(np.asarray((features - self.mean) @ self.projection, np.float32))

    def nearest(self, features: NDArray[np.float32], k: int) -> tuple[LookAlike, ...]:
        """The `k` training slices most like one input, the most similar first.

        Args:
            features: (F,) as the model gives them.
            k: at most so many; fewer where there are fewer training slices.
        """
        similarities = self.features @ self.compared(features[np.newaxis])[0]
        k = min(k, len(similarities))
        if k < 1:
            return ()
        found = np.argpartition(-similarities, k - 1)[:k]
        return tuple(self._look_alike(int(row), similarities) for row in found[np.argsort(-similarities[found])])

    def identity(self, sha256: str, sketch: NDArray[np.float32] | None = None) -> TrainingMatch | None:
        """Whether an input is one of the training slices.

        Args:
            sha256: of the file, in hex.
            sketch: (128,) of the slice; without it only the file is compared.
        """
        if bytes.fromhex(sha256) in self._files:
            return "same-file"
        if sketch is not None and len(self) and float((self.sketches @ sketch).max()) >= SAME_SLICE:
            return "same-slice"
        return None

    def _look_alike(self, row: int, similarities: NDArray[np.float32]) -> LookAlike:
        return LookAlike(
            class_name=str(self.labels[self.label_index[row]]),
            name=str(self.names[row]) or None,
            source=str(self.sources[self.source_index[row]]),
            similarity=float(np.clip(similarities[row], -1, 1)),
        )


_KINDS = {
    "mean": ("f", 1), "projection": ("f", 2), "features": ("f", 2), "sketches": ("f", 2), "sha256": ("u", 2),
    "labels": ("U", 1), "label_index": ("u", 1), "sources": ("U", 1), "source_index": ("u", 1), "names": ("U", 1),
}  # fmt: skip
"""Each array of the file: the kind of its values, and how many dimensions it has."""


def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scales each row to length 1; rows of zeros stay."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-6), np.float32)


def _refuse_bomb(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > _LARGEST_BYTES:
        raise ValueError(f"it unpacks to {size} bytes; at most {_LARGEST_BYTES} are allowed")


def _fault_of(arrays: dict[str, NDArray[Any]]) -> str | None:
    """What is wrong with the arrays, in words."""
    for name, (kind, rank) in _KINDS.items():
        array = arrays[name]
        if array.dtype.kind != kind or array.ndim != rank:
            return f"{name} is an array of {array.ndim} dimensions of {array.dtype}"
        if kind == "f" and not np.isfinite(array).all():
            return f"{name} has values that are no numbers"
    count, (size, compared) = len(arrays["sha256"]), arrays["projection"].shape
    shapes: dict[str, tuple[int, ...]] = {
        "mean": (size,),
        "features": (count, compared),
        "sketches": (count, SKETCH_SIZE),
        "sha256": (count, 32),
        "label_index": (count,),
        "source_index": (count,),
        "names": (count,),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            return f"{name} has the shape {arrays[name].shape} instead of {shape}"
    for index, table in (("label_index", "labels"), ("source_index", "sources")):
        if int(arrays[index].max(initial=0)) >= max(1, len(arrays[table])):
            return f"{index} points beyond {table}"
    return None if count and arrays["sha256"].dtype == np.uint8 else "it has no hashes"
