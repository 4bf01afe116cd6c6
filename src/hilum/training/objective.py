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

    Targets of twice the width hold teachers' probabilities in their second half, and part of the loss is then the
    cross-entropy with those (distillation: Hinton et al., 2015; on the same view: Beyer et al., CVPR 2022).

    Args:
        label_smoothing: weight of the mean over all classes.
        teacher_share: weight of the teachers where there are any.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        teacher_share: float = 0.7,
        name: str = "allowed_classes",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.label_smoothing, self.teacher_share = label_smoothing, teacher_share

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """(N, C) or (N, 2C) targets, the allowed classes as 0 or 1, and (N, C) logits -> (N,) losses."""
        log_probabilities = ops.log_softmax(y_pred, axis=-1)
        n_classes = y_pred.shape[-1]
        is_allowed = y_true[..., :n_classes] > 0
        allowed = ops.logsumexp(ops.where(is_allowed, log_probabilities, _RULED_OUT), axis=-1)
        everywhere = ops.mean(log_probabilities, axis=-1)
        taught = -(1 - self.label_smoothing) * allowed - self.label_smoothing * everywhere
        if y_true.shape[-1] == n_classes:
            return taught
        as_teachers = -ops.sum(y_true[..., n_classes:] * log_probabilities, axis=-1)
        return (1 - self.teacher_share) * taught + self.teacher_share * as_teachers

    def get_config(self) -> dict[str, Any]:
        """The loss's arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing, "teacher_share": self.teacher_share}


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """(N,) 1 where the class with the largest logit is an allowed one."""
    return ops.take_along_axis(y_true, ops.expand_dims(ops.argmax(y_pred, axis=-1), -1), axis=-1)[..., 0]
