"""What a Keras model makes of many slices, of which only a few batches are in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from hilum.training.pulse import Pulse
from hilum.training.stored_rows import StoredRows

_BATCH = 32


def batches_of(rows: NDArray[Any] | StoredRows) -> Iterator[NDArray[Any]]:
    """The rows, some at a time."""
    return (rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH))


def count_batches(n_rows: int) -> int:
    """Into how many parts `batches_of` cuts so many rows."""
    return -(-n_rows // _BATCH)


def answers_of(model: keras.Model, tensors: NDArray[np.float32] | StoredRows) -> NDArray[np.float32]:
    """The model's answers to slices (N, side, side, 1)."""
    return answers_to(model, batches_of(tensors), count_batches(len(tensors)))


def answers_to(
    model: keras.Model,
    batches: Iterable[NDArray[np.float32]],
    n_batches: int,
    *,
    on_batch: Callable[[float], None] | None = None,
) -> NDArray[np.float32]:
    """The model's answers to all that is in so many batches, the same as if it were given at once.

    Args:
        model: slices -> answers.
        batches: (B, side, side, 1) each.
        n_batches: how many they are.
        on_batch: called with the batches answered; what it raises ends it.
    """
    callbacks = [Pulse(on_batch)] if on_batch else None
    found = model.predict(((batch,) for batch in batches), steps=n_batches, verbose=0, callbacks=callbacks)
    return np.asarray(found, np.float32)
