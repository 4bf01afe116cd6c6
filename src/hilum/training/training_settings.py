"""What is asked of a training. Trains nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hilum.training.efficientnet_lite import EFFICIENTNET_LITE
from hilum.training.fit_settings import FitSettings, head_settings


@dataclass(frozen=True)
class TrainingSettings:
    """What to train.

    Attributes:
        architecture: see `build_classifier`.
        mode: `head` learns the linear head on frozen features, `upper` the blocks above a frozen trunk, `full` every
            weight, but for those that the parent keeps frozen.
        side: input side in pixels.
        epochs: at the most; None takes the mode's default.
        folds: one of so many grouped folds is held out for early stopping, calibration and the operating point; where
            a class has fewer groups, as many as it has.
        cross_validate: instead fit every one of so many grouped folds, and one of each other way of splitting. The
            answers for all slices then calibrate, and the bundle tells what each way would have promised.
        fold_epochs: of each fold of a cross-validation; None takes as many as the final fit, at several times the time.
        grouped_only: of a cross-validation leave out the folds of series and the random one.
        frozen_blocks: in upper mode, how many of the lower blocks are the trunk.
        refit: afterwards learn from all slices, for the number of epochs found best; a cross-validation always does.
        seed: of the folds, the initial head, shuffling and augmentation.
        weights: backbone weights to start from; None takes ImageNet's.
        parent: bundle to start from instead; it brings architecture, side and every weight.
        anonymous_neighbours: leave the training slices' names out of the bundle; no part of a fit.
    """

    architecture: str = "efficientnet-lite0"
    mode: Literal["head", "upper", "full"] = "full"
    side: int = 256
    epochs: int | None = None
    folds: int = 6
    cross_validate: int | None = None
    fold_epochs: int | None = None
    grouped_only: bool = False
    frozen_blocks: int = 8
    refit: bool = True
    seed: int = 0
    weights: Path | None = None
    parent: Path | None = None
    anonymous_neighbours: bool = False

    def fit_settings(self) -> FitSettings:
        """The mode's schedule."""
        if self.mode == "full" and self.parent is not None:
            return FitSettings(epochs=self.epochs or 12, seed=self.seed, learning_rate=3e-4)
        if self.mode == "full":
            return FitSettings(epochs=self.epochs or 24, seed=self.seed)
        if self.mode == "upper":
            return FitSettings(epochs=self.epochs or 80, seed=self.seed, label_smoothing=0.02, patience=20)
        return head_settings(self.epochs, starts_warm=self.parent is not None, seed=self.seed)


def usual_mode(architecture: str) -> Literal["upper", "full"]:
    """The mode that serves best: `upper` where the architecture's blocks are known."""
    return "upper" if architecture in EFFICIENTNET_LITE else "full"
