"""Who watches a training more closely than by its stages: each epoch's metrics, each batch. Knows no data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras


def _ignore_epoch(stage: str, row: Mapping[str, float]) -> None: ...


def _ignore_batch(stage: str, share: float) -> None: ...


@dataclass(frozen=True)
class Watch:
    """What is called as a training goes on. What a call raises ends the training, which another call then resumes.

    Attributes:
        on_epoch: with the stage and the epoch's metrics, as the history has them.
        on_batch: with the stage and its share done (0..1), between batches of every kind.
    """

    on_epoch: Callable[[str, Mapping[str, float]], None] = _ignore_epoch
    on_batch: Callable[[str, float], None] = _ignore_batch


class Pulse(keras.callbacks.LambdaCallback):
    """Calls `beat` between batches: of training with the epochs done, of prediction with the batches done."""

    def __init__(self, beat: Callable[[float], None]) -> None:
        super().__init__(on_epoch_begin=self._begin, on_train_batch_end=self._train, on_predict_batch_end=self._predict)
        self._beat = beat
        self._epoch = 0

    def _begin(self, epoch: int, *_: object, **__: object) -> None:
        self._epoch = epoch

    def _train(self, batch: int, *_: object, **__: object) -> None:
        steps = (self.params or {}).get("steps") or batch + 1
        self._beat(self._epoch + (batch + 1) / steps)

    def _predict(self, batch: int, *_: object, **__: object) -> None:
        self._beat(batch + 1)
