"""A prediction names the training slices most like its input, and says when the input is one of them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.errors import BundleInvalid, LookAlikesMissing
from hilum.imaging.phantoms import draw_phantom
from hilum.inference.bundle import add_to_bundle, open_bundle
from hilum.inference.neighbours import NEIGHBOURS, Neighbours
from hilum.inference.predictor import Predictor
from known_bundle import KNOWN_SEEDS, phantom_png, write_known_bundle


@pytest.fixture(scope="module")
def known_bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_known_bundle(tiny_bundle, tmp_path_factory.mktemp("known") / "bundle")


@pytest.fixture(scope="module")
def predictor(known_bundle: Path) -> Predictor:
    return Predictor.load(known_bundle)


@pytest.mark.parametrize("seed", KNOWN_SEEDS)
def test_a_training_file_is_said_to_be_one_and_is_most_like_itself(predictor: Predictor, seed: int) -> None:
    prediction = predictor.predict(phantom_png(seed), similar=2)
    assert prediction.training_match == "same-file"
    assert prediction.look_alikes is not None
    assert prediction.look_alikes[0].name == f"train/<i>{seed}</i>.png"
    assert prediction.look_alikes[0].similarity == pytest.approx(1, abs=1e-3)


def test_the_file_is_recognised_unasked_and_the_decision_stays(predictor: Predictor, tiny_bundle: Path) -> None:
    data = phantom_png(KNOWN_SEEDS[0])
    told, untold = predictor.predict(data), Predictor.load(tiny_bundle).predict(data)
    assert told.training_match == "same-file"
    assert "training-image" in told.warnings
    assert told.look_alikes is None
    assert told.decision == untold.decision
    assert told.probabilities == untold.probabilities


def test_the_same_slice_in_another_file_is_recognised_when_asked(predictor: Predictor) -> None:
    picture = cv2.convertScaleAbs(draw_phantom(KNOWN_SEEDS[1]), alpha=0.8, beta=10)
    data = cv2.imencode(".png", picture)[1].tobytes()
    assert predictor.predict(data).training_match is None
    prediction = predictor.predict(data, similar=1)
    assert prediction.training_match == "same-slice"
    assert "training-image" in prediction.warnings


def test_another_slice_is_not_taken_for_a_training_slice(predictor: Predictor) -> None:
    picture = draw_phantom(3)[::-1].copy()
    prediction = predictor.predict(cv2.imencode(".png", picture)[1].tobytes(), similar=6)
    assert prediction.training_match is None
    assert "training-image" not in prediction.warnings
    assert prediction.look_alikes is not None
    assert len(prediction.look_alikes) == len(KNOWN_SEEDS)


def test_a_bundle_without_a_list_answers_and_says_what_it_lacks(tiny_bundle: Path) -> None:
    predictor = Predictor.load(tiny_bundle)
    prediction = predictor.predict(phantom_png(20))
    assert prediction.training_match is None
    assert prediction.look_alikes is None
    assert not predictor.has_look_alikes
    with pytest.raises(LookAlikesMissing, match="train the model again"):
        predictor.predict(phantom_png(20), similar=1)


def test_features_of_another_graph_are_refused(known_bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(known_bundle, tmp_path / "bundle")
    path = bundle / NEIGHBOURS
    neighbours = Neighbours.load(path)
    longer = replace(neighbours, mean=np.zeros(7, np.float32), projection=np.zeros((7, 4), np.float32))
    longer.save(path)
    add_to_bundle(bundle, [path])
    with pytest.raises(BundleInvalid, match="compares 7 features and its graph gives 4"):
        Predictor.load(bundle)


def test_a_list_beside_a_graph_without_features_is_refused(known_bundle: Path, tiny_bundle: Path) -> None:
    engine = open_bundle(tiny_bundle).load_engine(threads=1)
    with pytest.raises(BundleInvalid, match="its graph gives 0"):
        open_bundle(known_bundle).load_neighbours(engine)


def test_a_damaged_list_is_not_served(known_bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(known_bundle, tmp_path / "bundle")
    (bundle / NEIGHBOURS).write_bytes(b"damaged")
    with pytest.raises(BundleInvalid, match=r"neighbours\.npz"):
        Predictor.load(bundle)
    add_to_bundle(bundle, [bundle / NEIGHBOURS])  # its hash is right, its content is not
    with pytest.raises(BundleInvalid, match=r"neighbours\.npz cannot be read"):
        Predictor.load(bundle)
