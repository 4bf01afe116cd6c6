"""The predictor's answer for a slice: class, probabilities, decision, and the same from every thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.errors import EmptyFile, InputRejected
from hilum.imaging.phantoms import draw_phantom
from hilum.inference.bundle import open_bundle
from hilum.inference.engines import EngineOutput
from hilum.inference.manifest import Manifest
from hilum.inference.predictor import Prediction, Predictor


class FixedEngine:
    """Answers every slice with the same logits."""

    name = "fixed"

    def __init__(self, *logits: float) -> None:
        self.logits = np.array([logits], np.float32)
        self.batches: list[np.ndarray] = []

    def run(self, batch: np.ndarray) -> EngineOutput:
        self.batches.append(batch)
        maps = np.broadcast_to(self.logits[:, None, None], (1, 2, 2, self.logits.size))
        return EngineOutput(self.logits, np.asarray(maps, np.float32))


@pytest.fixture(scope="module")
def manifest(tiny_bundle: Path) -> Manifest:
    return open_bundle(tiny_bundle).manifest


@pytest.fixture(scope="module")
def predictor(tiny_bundle: Path) -> Predictor:
    return Predictor.load(tiny_bundle)


def png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def answer(manifest: Manifest, data: bytes, *probabilities: float, **changes: object) -> Prediction:
    engine = FixedEngine(*np.log(probabilities))
    return Predictor(manifest.model_copy(update=changes), engine).predict(data)


def test_a_slice_gets_a_whole_answer(predictor: Predictor, slice_png: bytes) -> None:
    prediction = predictor.predict(slice_png)
    assert list(prediction.probabilities) == list(predictor.manifest.class_names)
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert prediction.predicted_class == max(prediction.probabilities, key=prediction.probabilities.__getitem__)
    assert prediction.model_version == predictor.manifest.model_version
    assert prediction.activation_map.shape == (8, 8)
    assert prediction.activation_map.min() >= 0
    assert prediction.body.is_found
    assert prediction.ct_slice.pixels.shape == (512, 512)


def test_the_model_sees_the_bundles_preprocessing(manifest: Manifest, slice_png: bytes) -> None:
    engine = FixedEngine(0, 0, 0, 0)
    Predictor(manifest, engine).predict(slice_png)
    (batch,) = engine.batches
    assert batch.shape == (1, 64, 64, 1)
    assert batch.dtype == np.float32
    assert 0 <= batch.min() <= batch.max() <= 1


def test_the_cancer_probability_is_the_sum_over_cancer_classes(manifest: Manifest, slice_png: bytes) -> None:
    assert answer(manifest, slice_png, 0.5, 0.2, 0.2, 0.1).cancer_probability == pytest.approx(0.8)


def test_a_model_without_cancer_classes_names_no_cancer_probability(manifest: Manifest, slice_png: bytes) -> None:
    assert answer(manifest, slice_png, 0.5, 0.2, 0.2, 0.1, cancer_class_names=()).cancer_probability is None


def test_a_model_of_cancers_only_does_not_call_every_slice_surely_cancer(manifest: Manifest, slice_png: bytes) -> None:
    names = manifest.class_names
    assert answer(manifest, slice_png, 0.5, 0.2, 0.2, 0.1, cancer_class_names=names).cancer_probability is None


def test_a_cancer_probability_never_exceeds_one(manifest: Manifest, slice_png: bytes) -> None:
    rng = np.random.default_rng(0)
    for row in rng.dirichlet(np.ones(4), 30):
        prediction = answer(manifest, slice_png, *row, cancer_class_names=manifest.class_names[1:])
        assert prediction.cancer_probability is not None
        assert prediction.cancer_probability <= 1


@pytest.mark.parametrize(
    ("top", "decision"), [(0.9, "confident"), (0.81, "confident"), (0.79, "review"), (0.4, "review")]
)
def test_below_the_operating_point_a_person_decides(
    manifest: Manifest, slice_png: bytes, top: float, decision: str
) -> None:
    rest = (1 - top) / 3
    prediction = answer(manifest, slice_png, rest, rest, top, rest, confident_above=0.8)
    assert prediction.predicted_class == "normal"
    assert prediction.decision == decision


def test_the_temperature_softens_the_answer(manifest: Manifest, slice_png: bytes) -> None:
    sharp, soft = (answer(manifest, slice_png, 0.7, 0.1, 0.1, 0.1, temperature=t) for t in (1.0, 3.0))
    assert sharp.probabilities["adenocarcinoma"] == pytest.approx(0.7)
    assert 0.25 < soft.probabilities["adenocarcinoma"] < 0.6
    assert soft.predicted_class == sharp.predicted_class


def test_without_a_body_the_answer_is_for_review_however_sure(manifest: Manifest) -> None:
    picture = np.zeros((200, 200), np.uint8)
    cv2.circle(picture, (100, 100), 20, 220, cv2.FILLED)
    prediction = answer(manifest, png(picture), 0.997, 0.001, 0.001, 0.001)
    assert prediction.decision == "review"
    assert "body-not-found" in prediction.warnings


def test_the_activation_map_is_the_predicted_classs_positive_part(manifest: Manifest, slice_png: bytes) -> None:
    prediction = Predictor(manifest, FixedEngine(1.0, 3.0, -2.0, 0.0)).predict(slice_png)
    assert prediction.predicted_class == "large_cell_carcinoma"
    assert (prediction.activation_map == 3).all()
    against_all = Predictor(manifest, FixedEngine(-4.0, -3.0, -4.0, -4.0)).predict(slice_png)
    assert (against_all.activation_map == 0).all()


def test_bytes_that_are_no_slice_are_refused(predictor: Predictor) -> None:
    with pytest.raises(EmptyFile):
        predictor.predict(b"")
    with pytest.raises(InputRejected):
        predictor.predict(b"not an image")


def test_eight_threads_get_the_answers_one_gets(predictor: Predictor) -> None:
    slices = [png(draw_phantom(seed, side=200)) for seed in range(8)]
    alone = [predictor.predict(data).probabilities for data in slices]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda data: predictor.predict(data).probabilities, slices * 8))
    assert together == alone * 8


def test_logits_are_the_mean_of_the_activation_maps(tiny_bundle: Path) -> None:
    engine = open_bundle(tiny_bundle).load_engine(threads=1)
    batch = np.random.default_rng(0).random((2, 64, 64, 1), np.float32)
    output = engine.run(batch)
    assert output.activation_maps.mean(axis=(1, 2)) == pytest.approx(output.logits, abs=1e-5)
