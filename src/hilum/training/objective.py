"""What a fit minimises and counts: targets that allow one class, or several where only "cancer" is known."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_RULED_OUT = -1e9


@keras.saving.register_keras_serializable("hilum")
class AllowedClassesLoss(keras.losses.Loss):
    """Negative log of the summed probability of the classes a target allows.

    With one allowed class it is the cross-entropy with label smoothing (Szegedy et al., CVPR 2016); with several it
    is that of learning from candidate labels (Jin and Ghahramani, NIPS 2002): "cancer, subtype unknown" teaches the
    sum of the cancers and leaves their shares alone.

    Args:
        label_smoothing: weight of the mean over all classes.
    """

    def __init__(self, label_smoothing: float = 0.0, name: str = "allowed_classes", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """(N, C) targets, the allowed classes as 0 or 1, and (N, C) logits -> (N,) losses."""
        log_probabilities = ops.log_softmax(y_pred, axis=-1)
        allowed = ops.logsumexp(ops.where(y_true > 0, log_probabilities, _RULED_OUT), axis=-1)
        everywhere = ops.mean(log_probabilities, axis=-1)
        return -(1 - self.label_smoothing) * allowed - self.label_smoothing * everywhere

    def get_config(self) -> dict[str, Any]:
        """The loss's arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """(N,) 1 where the class with the largest logit is an allowed one."""
    return ops.take_along_axis(y_true, ops.expand_dims(ops.argmax(y_pred, axis=-1), -1), axis=-1)[..., 0]
