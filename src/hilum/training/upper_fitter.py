"""Fits the blocks above a frozen trunk, from what the trunk makes of many variants of each slice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from hilum.training.efficientnet_lite import TRUNK
from hilum.training.fit_settings import FitSettings
from hilum.training.fitter import Fitted, KeptFit, logits_of, reporter
from hilum.training.keras_answers import answers_of, batches_of
from hilum.training.stored_rows import StoredRows
from hilum.training.trainer import Batches, TrainingData, fit, vary
from hilum.training.watch import Progress, Watch

VARIANTS = 40
"""Of each slice, from which every epoch draws one: the trunk, most of the work, sees each but once for a fit."""

_FEWEST_VARIANTS, _ENOUGH_ROWS = 8, 40_000
"""Many slices need fewer variants each, which would fill the disk: at 256 px a row takes 41 kB."""


@dataclass(frozen=True)
class UpperFitter:
    """Learns what stands on the trunk of `build()`; a fit that was killed goes on, a finished one is loaded.

    What fine-tuning changes in the lower blocks, it learns from few slices of one collection (docs/decisions/0017).
    """

    data: TrainingData
    build: Callable[[], keras.Model]
    checkpoints: Path
    progress: Progress
    watch: Watch = field(default_factory=Watch)

    def fit(self, stage: str, learn: NDArray[np.intp], hold: NDArray[np.intp] | None, settings: FitSettings) -> Fitted:
        """Fits a new classifier; see `Fitter`."""
        kept = KeptFit(self.checkpoints / stage)
        if kept.is_finished and hold is not None:
            return kept.fitted(self._load)
        keras.utils.set_random_seed(settings.seed)
        classifier = self.build()
        trunk, upper = _divide(classifier)
        targets = self.data.targets
        held_out = None if hold is None else (answers_of(trunk, self.data.tensors[hold]), targets[hold])
        with ExitStack() as files:

            def learn_from(first_epoch: int) -> SeenBatches:
                seen = files.enter_context(closing(self._look(stage, trunk, learn, settings)))
                return SeenBatches(seen, targets[learn], settings, first_epoch)

            history = fit(
                upper,
                learn_from,
                held_out,
                settings,
                kept.folder,
                on_epoch=reporter(stage, self.progress, self.watch),
                on_batch=lambda done: self.watch.on_batch(stage, done / settings.epochs),
            )
        logits = logits_of(upper, held_out and held_out[0])
        kept.finish(logits)
        return Fitted(lambda: classifier, history, logits)

    def _look(self, stage: str, trunk: keras.Model, learn: NDArray[np.intp], settings: FitSettings) -> StoredRows:
        """(V x N, h, w, c), variant by variant; grey values are taken over from the slices learnt alone."""
        learnt, n_slices = self.data.subset(learn), len(learn)
        n_variants = count_variants(n_slices)
        seen = StoredRows(self.checkpoints, (n_variants * n_slices, *trunk.output_shape[1:]), np.float16)
        for variant in range(n_variants):
            rng = np.random.default_rng((settings.seed, variant))
            for rows in batches_of(np.arange(n_slices)):
                answers = trunk.predict_on_batch(vary(learnt, rows, settings, rng))
                for row, answer in zip(rows.tolist(), answers, strict=True):
                    seen[variant * n_slices + row] = answer
                self.watch.on_batch(f"{stage}-trunk", (variant + (rows[-1] + 1) / n_slices) / n_variants)
            self.progress(f"{stage}-trunk", (variant + 1) / n_variants, f"variant {variant + 1}/{n_variants}")
        return seen

    def _load(self, weights: Path) -> keras.Model:
        classifier = self.build()
        _, upper = _divide(classifier)
        upper.load_weights(weights)
        return classifier


def count_variants(n_slices: int) -> int:
    """Of each of so many slices."""
    return min(VARIANTS, max(_FEWEST_VARIANTS, _ENOUGH_ROWS // n_slices))


class SeenBatches(Batches):
    """Batches of what the trunk makes of variants of slices, (B, h, w, c)."""

    def __init__(
        self, seen: StoredRows, targets: NDArray[np.float32], settings: FitSettings, first_epoch: int = 0
    ) -> None:
        super().__init__(targets, settings, first_epoch)
        self._seen = seen

    def _variants(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
        n_slices = len(self._targets)
        drawn = rng.integers(len(self._seen) // n_slices, size=len(rows))
        return np.asarray(self._seen[drawn * n_slices + rows], np.float32)


def _divide(classifier: keras.Model) -> tuple[keras.Model, keras.Model]:
    """(N, side, side, 1) -> (N, h, w, c), and what learns from that: -> logits (N, C). They share all weights."""
    end = classifier.get_layer(TRUNK).output
    return keras.Model(classifier.input, end), keras.Model(end, classifier.output)
