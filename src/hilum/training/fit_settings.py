"""How weights are fitted: schedule, strength, chance. Numbers only; what is fitted is the fits' business."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hilum.training.augmentation import Augmentation

EpochHook = Callable[[int, int, dict[str, float]], None]
"""Called after each epoch with its number from 1, the number planned and its metrics."""

_EPOCHS_OF_A_REFIT = 10


@dataclass(frozen=True)
class FitSettings:
    """How weights are fitted.

    Attributes:
        epochs: at the most, and the length of the cosine schedule.
        patience: epochs without a better validation loss before stopping with the best weights; None goes on to the
            last epoch and keeps its weights.
    """

    epochs: int = 24
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    label_smoothing: float = 0.05
    warmup_epochs: float = 1.0
    patience: int | None = 10
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)


def head_settings(epochs: int | None, *, starts_warm: bool, seed: int = 0) -> FitSettings:
    """The schedule of a linear head, shorter where it starts at another model's."""
    usual = 20 if starts_warm else 60
    return FitSettings(epochs=epochs or usual, seed=seed, learning_rate=2e-3, weight_decay=5e-3, label_smoothing=0.0)


def epochs_of_a_refit(best: int, planned: int) -> int:
    """How long a head that started at another model's is fitted to everything.

    What is held out, the backbone has learnt: it says little of when to stop.
    """
    return max(best, min(_EPOCHS_OF_A_REFIT, planned))
