"""Reads a corpus's images into the arrays that training works on. Knows files; the maths is elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hilum.imaging.decode import decode
from hilum.imaging.preprocess import Preprocessing, preprocess
from hilum.training.augmentation import BASE_SCALE
from hilum.training.corpus import Corpus
from hilum.training.stored_rows import StoredRows
from hilum.training.trainer import TrainingData


def read_slices(
    corpus: Corpus,
    preprocessing: Preprocessing,
    *,
    kept_in: Path | None = None,
    on_slice: Callable[[int, int], None] | None = None,
) -> TrainingData:
    """Decodes and preprocesses the corpus exactly as a served slice is.

    Args:
        corpus: N images and what their labels allow.
        preprocessing: the bundle's.
        kept_in: a folder on whose disk the slices are kept instead of in memory, for whoever takes them in turn.
        on_slice: called with slices read and slices in all.

    Returns:
        The N slices in the corpus's order.

    Raises:
        TrainingFailed: there is no room in `kept_in`.
    """
    side = preprocessing.side
    base_side = round(side * BASE_SCALE)
    enlarged = preprocessing.model_copy(update={"side": base_side})
    bases = _rows((len(corpus.slices), base_side, base_side), np.uint8, kept_in)
    tensors = _rows((len(corpus.slices), side, side, 1), np.float32, kept_in)
    for row, item in enumerate(corpus.slices):
        pixels = decode(item.file.read_bytes(), name=item.record.path).pixels
        body = preprocessing.body_of(pixels)
        tensors[row] = preprocess(pixels, preprocessing, body)
        bases[row] = np.rint(preprocess(pixels, enlarged, body)[..., 0] * 255)
        if on_slice:
            on_slice(row + 1, len(corpus.slices))
    return TrainingData(bases, tensors, corpus.targets)


def _rows(shape: tuple[int, ...], dtype: DTypeLike, kept_in: Path | None) -> NDArray[Any] | StoredRows:
    return np.empty(shape, dtype) if kept_in is None else StoredRows(kept_in, shape, dtype)
