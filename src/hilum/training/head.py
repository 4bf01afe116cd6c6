"""Head mode: the backbone stays as it is and only the linear head is learnt, from features taken once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from hilum.training.architectures import HEAD, build_classifier
from hilum.training.objective import AllowedClassesLoss, accuracy, balancing_weights
from hilum.training.trainer import EpochHook, FitSettings, TrainingData
from hilum.training.watch import Pulse

VIEWS = 4
"""Feature vectors taken of each slice: as served, mirrored, and augmented ones. More gain little for their time."""

_BATCH = 32


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
    side = data.tensors.shape[1]
    rng = np.random.default_rng(settings.seed)
    views: list[NDArray[np.float32]] = []
    batches = -(-len(data.tensors) // _BATCH)

    def beat(done: float) -> None:
        if on_batch:
            on_batch((len(views) + done / batches) / VIEWS)

    for view in range(VIEWS):
        if view == 0:
            slices = data.tensors
        elif view == 1:
            slices = data.tensors[:, :, ::-1]
        else:
            slices = np.stack([settings.augmentation.apply(base, side, rng) for base in data.bases])[..., np.newaxis]
        views.append(backbone.predict(slices, batch_size=_BATCH, verbose=0, callbacks=[Pulse(beat)]))
        if on_view:
            on_view(view + 1, VIEWS)
    return np.stack(views)


def features_as_served(architecture: str, side: int, weights: Path | None, data: TrainingData) -> NDArray[np.float32]:
    """Pooled features (N, F) of the slices as they are served, from the backbone before any training."""
    classifier = build_classifier(architecture, side, data.targets.shape[1], weights=weights)
    backbone = keras.Model(classifier.input, classifier.get_layer("pool").output)
    return np.asarray(backbone.predict(data.tensors, batch_size=32, verbose=0), np.float32)


def fit_head(
    classifier: keras.Model,
    features: NDArray[np.float32],
    targets: NDArray[np.float32],
    held_out: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
    settings: FitSettings,
    *,
    start: list[NDArray[np.float32]] | None = None,
    on_epoch: EpochHook | None = None,
) -> list[dict[str, float]]:
    """Fits `classifier`'s linear head on standardised features and folds the standardisation into its weights.

    Args:
        classifier: from `build_classifier`.
        features: (VIEWS, N, F) of the slices to learn.
        targets: (N, C) allowed classes.
        held_out: features (M, F) and targets (M, C) of other groups, for early stopping.
        settings: epochs, rate, weight decay and seed.
        start: kernel (F, C) and bias (C,) to begin at; None begins at random.
        on_epoch: progress.

    Returns:
        The history, as `trainer.fit` does.
    """
    n_classes = classifier.output_shape[-1]
    flat = features.reshape(-1, features.shape[-1])
    mean, deviation = flat.mean(0), flat.std(0) + 1e-3
    repeated = np.tile(targets, (len(features), 1))
    keras.utils.set_random_seed(settings.seed)
    head = keras.Sequential(
        [keras.Input((flat.shape[1],)), keras.layers.Dropout(0.2), keras.layers.Dense(n_classes, name=HEAD)]
    )
    if start is not None:
        kernel, bias = start
        head.get_layer(HEAD).set_weights([kernel * deviation[:, np.newaxis], bias + mean @ kernel])
    head.compile(
        keras.optimizers.AdamW(settings.learning_rate, weight_decay=settings.weight_decay),
        AllowedClassesLoss(settings.label_smoothing),
        metrics=[accuracy],
        jit_compile=False,
    )
    validation = None
    callbacks: list[keras.callbacks.Callback] = [_Report(settings.epochs, on_epoch)]
    if held_out is not None:
        validation = ((held_out[0] - mean) / deviation, held_out[1])
        if settings.patience is not None:
            callbacks.append(
                keras.callbacks.EarlyStopping("val_loss", patience=settings.patience, restore_best_weights=True)
            )
    head.fit(
        (flat - mean) / deviation,
        repeated,
        sample_weight=balancing_weights(repeated),
        validation_data=validation,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        callbacks=callbacks,
        verbose=0,
    )
    kernel, bias = head.get_layer(HEAD).get_weights()
    folded = kernel / deviation[:, np.newaxis]
    classifier.get_layer(HEAD).set_weights([folded, bias - mean @ folded])
    report: _Report = callbacks[0]
    return report.epochs


class _Report(keras.callbacks.Callback):
    """Collects the history and passes each epoch on."""

    def __init__(self, planned: int, on_epoch: EpochHook | None) -> None:
        super().__init__()
        self.epochs: list[dict[str, float]] = []
        self._planned, self._on_epoch = planned, on_epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        row = {"epoch": float(epoch + 1), **{name: float(value) for name, value in (logs or {}).items()}}
        self.epochs.append(row)
        if self._on_epoch:
            self._on_epoch(epoch + 1, self._planned, row)
