"""What a bundle keeps of its training slices, so that it can name look-alikes. Serving only reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.groups import fingerprint_of
from hilum.dataset.manifest import ImageRecord
from hilum.dataset.sketch import SKETCH_SIZE, sketch_of
from hilum.imaging.decode import decode
from hilum.imaging.preprocess import Preprocessing
from hilum.imaging.statistics import statistics_of
from hilum.inference.engines import Engine
from hilum.inference.neighbours import Neighbours, unit_rows
from hilum.training.stored_rows import StoredRows

COMPARED_FEATURES = 128
"""Principal components kept: 95 % of the ten nearest by all features are among the ten nearest by these."""


@dataclass(frozen=True)
class KnownSlices:
    """The N training slices as a bundle names them, in the order of their tensors.

    Attributes:
        records: as in their data sets' manifests.
        sketches: (N, 128) float32, see `hilum.dataset.sketch`.
        are_named: whether the bundle gives their paths.
        statistics: of each, see `hilum.imaging.statistics`.
    """

    records: tuple[ImageRecord, ...]
    sketches: NDArray[np.float32]
    are_named: bool
    statistics: tuple[dict[str, float], ...] = ()


def read_known_slices(
    slices: Iterable[tuple[Path, ImageRecord]], preprocessing: Preprocessing, *, anonymous: bool = False
) -> KnownSlices:
    """Sketches and describes training slices; decodes each file once more, about 10 ms each.

    Args:
        slices: each file and its record, in the order of the training tensors.
        preprocessing: the bundle's; slices it is asked about are sketched in the body found with it.
        anonymous: leave out what the files are called.
    """
    listed = list(slices)
    sketches = np.empty((len(listed), SKETCH_SIZE), np.float32)
    statistics = []
    for row, (file, record) in enumerate(listed):
        pixels = decode(file.read_bytes(), name=record.path).pixels
        body = preprocessing.body_of(pixels)
        sketches[row] = sketch_of(fingerprint_of(pixels, body)[np.newaxis])[0]
        statistics.append(statistics_of(pixels, body))
    return KnownSlices(tuple(record for _, record in listed), sketches, not anonymous, tuple(statistics))


def make_neighbours(known: KnownSlices, engine: Engine, tensors: NDArray[np.float32] | StoredRows) -> Neighbours:
    """Takes each slice's features from the graph that will be served, and keeps their principal components.

    Args:
        known: N slices.
        engine: the graph; it must give `features`.
        tensors: (N, side, side, 1), the same slices.
    """
    outputs = [engine.run(tensors[start : start + 32]).features for start in range(0, len(tensors), 32)]
    return neighbours_of(known, np.concatenate([rows for rows in outputs if rows is not None]))


def neighbours_of(known: KnownSlices, features: NDArray[np.float32]) -> Neighbours:
    """Keeps the principal components of the N slices' features (N, F), which the served graph gave."""
    mean = features.mean(axis=0)
    projection = _principal_components(features - mean)
    labels, label_index = _indexed([record.class_name for record in known.records])
    sources, source_index = _indexed([record.source for record in known.records])
    names = [record.path if known.are_named else "" for record in known.records]
    return Neighbours(
        mean=mean,
        projection=projection,
        features=unit_rows((features - mean) @ projection),
        sketches=known.sketches,
        sha256=np.array([list(bytes.fromhex(record.sha256)) for record in known.records], np.uint8),
        labels=labels,
        label_index=label_index,
        sources=sources,
        source_index=source_index,
        names=np.array(names, np.str_),
    )


def _principal_components(centred: NDArray[np.float32]) -> NDArray[np.float32]:
    """(F, D) directions of the greatest variance, most first; D is 128, or fewer where F or N are."""
    kept = min(COMPARED_FEATURES, *centred.shape)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(directions[:, ::-1][:, :kept], np.float32)


def _indexed(values: list[str]) -> tuple[NDArray[np.str_], NDArray[np.uint16]]:
    distinct, index = np.unique(np.array(values, np.str_), return_inverse=True)
    return distinct, index.astype(np.uint16)
