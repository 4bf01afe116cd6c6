"""Head mode: the backbone stays as it is and only the linear head is learnt, from features taken once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from hilum.training.architectures import HEAD, build_classifier
from hilum.training.fit_settings import EpochHook, FitSettings
from hilum.training.keras_answers import answers_of, answers_to, batches_of, count_batches
from hilum.training.linear_head import LinearHead, fit_linear_head
from hilum.training.slice_features import VIEWS
from hilum.training.trainer import TrainingData


def take_features(
    classifier: keras.Model,
    data: TrainingData,
    settings: FitSettings,
    *,
    on_view: Callable[[int, int], None] | None = None,
    on_batch: Callable[[float], None] | None = None,
) -> NDArray[np.float32]:
    """Pooled backbone features of `VIEWS` views of each slice.

    `on_view` is told the views taken, `on_batch` the share of all of them after each batch; what either raises ends it.

    Returns:
        (VIEWS, N, F); view 0 is the slice as served.
    """
    backbone = keras.Model(classifier.input, classifier.get_layer("pool").output)
    rng = np.random.default_rng(settings.seed)
    n_batches = count_batches(len(data.targets))
    features = np.empty((VIEWS, len(data.targets), backbone.output_shape[-1]), np.float32)
    for view in range(VIEWS):

        def beat(done: float, view: int = view) -> None:
            if on_batch:
                on_batch((view + done / n_batches) / VIEWS)

        features[view] = answers_to(backbone, _seen(view, data, settings, rng), n_batches, on_batch=beat)
        if on_view:
            on_view(view + 1, VIEWS)
    return features


def _seen(
    view: int, data: TrainingData, settings: FitSettings, rng: np.random.Generator
) -> Iterator[NDArray[np.float32]]:
    """The slices of a view, a batch at a time: as served, mirrored, and varied at random."""
    if view < 2:
        for batch in batches_of(data.tensors):
            yield batch[:, :, ::-1] if view else batch
        return
    side = data.tensors.shape[1]
    for bases in batches_of(data.bases):
        yield np.stack([settings.augmentation.apply(base, side, rng) for base in bases])[..., np.newaxis]


def features_as_served(architecture: str, side: int, weights: Path | None, data: TrainingData) -> NDArray[np.float32]:
    """Pooled features (N, F) of the slices as they are served, from the backbone before any training."""
    classifier = build_classifier(architecture, side, data.targets.shape[1], weights=weights)
    backbone = keras.Model(classifier.input, classifier.get_layer("pool").output)
    return answers_of(backbone, data.tensors)


def fit_head(
    classifier: keras.Model,
    features: NDArray[np.float32],
    targets: NDArray[np.float32],
    held_out: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
    settings: FitSettings,
    *,
    slices: NDArray[np.intp] | None = None,
    start: list[NDArray[np.float32]] | None = None,
    on_epoch: EpochHook | None = None,
) -> list[dict[str, float]]:
    """Fits `classifier`'s linear head; see `fit_linear_head`.

    Args:
        classifier: from `build_classifier`.
        features: (VIEWS, N, F).
        targets: (N, C) allowed classes.
        held_out: features (M, F) and targets (M, C) of other groups, for early stopping.
        settings: epochs, rate, weight decay and seed.
        slices: indices of those to learn; None learns all N.
        start: kernel (F, C) and bias (C,) to begin at; None begins at random.
        on_epoch: progress.

    Returns:
        The history, as `trainer.fit` does.
    """
    begin = LinearHead(*start) if start is not None else None
    fitted = fit_linear_head(features, targets, held_out, settings, slices=slices, start=begin, on_epoch=on_epoch)
    classifier.get_layer(HEAD).set_weights([fitted.head.kernel, fitted.head.bias])
    return fitted.history
