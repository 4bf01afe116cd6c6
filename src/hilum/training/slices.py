"""Reads a manifest's images into the arrays that training works on. Knows files; the maths is elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hilum.dataset.manifest import DatasetManifest, ImageRecord
from hilum.imaging.body import find_body
from hilum.imaging.decode import decode
from hilum.imaging.preprocess import Preprocessing, preprocess
from hilum.training.augmentation import BASE_SCALE
from hilum.training.trainer import TrainingData


def read_slices(
    manifest: DatasetManifest,
    records: Sequence[ImageRecord],
    preprocessing: Preprocessing,
    *,
    on_slice: Callable[[int, int], None] | None = None,
) -> TrainingData:
    """Decodes and preprocesses `records` exactly as a served slice is.

    Args:
        manifest: where the files lie and what the labels mean.
        records: N images.
        preprocessing: the bundle's.
        on_slice: called with slices read and slices in all.

    Returns:
        The N slices in the records' order.
    """
    side = preprocessing.side
    base_side = round(side * BASE_SCALE)
    enlarged = preprocessing.model_copy(update={"side": base_side})
    bases = np.empty((len(records), base_side, base_side), np.uint8)
    tensors = np.empty((len(records), side, side, 1), np.float32)
    for row, record in enumerate(records):
        pixels = decode(manifest.path_of(record).read_bytes(), name=record.path).pixels
        body = find_body(pixels)
        tensors[row] = preprocess(pixels, preprocessing, body)
        bases[row] = np.rint(preprocess(pixels, enlarged, body)[..., 0] * 255)
        if on_slice:
            on_slice(row + 1, len(records))
    return TrainingData(bases, tensors, np.array([manifest.label_of(record) for record in records], np.int64))
