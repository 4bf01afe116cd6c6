"""A Keras callback that tells how far a fit or a prediction is between its batches. Knows no data."""

from __future__ import annotations

from collections.abc import Callable

import keras


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
