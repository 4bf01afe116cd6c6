"""The count of doubted labels: a sure model doubts what is flipped, an unsure one nothing; what is refused is out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench.label_doubt import Doubts, Said, ask, count_doubts

from gated_bundle import gated_copy
from hilum.inference.predictor import Predictor
from hilum.services.image_reading import ImageReader, ModelAnswer
from labelled_samples import drawn_png, encoded, incoming

CLASSES = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")


def said(true: str, predicted: str, rest: float = 0.01, confident_above: float = 0.9) -> Said:
    """An answer of four classes; each that is not predicted has `rest`."""
    probabilities = dict.fromkeys(CLASSES, rest) | {predicted: 1 - 3 * rest}
    return Said(true, ModelAnswer(predicted, probabilities, confident_above))


def test_a_sure_model_doubts_its_mistakes_and_what_is_flipped() -> None:
    right, wrong = [said(name, name) for name in CLASSES * 5], [said("normal", "adenocarcinoma")] * 3
    assert count_doubts(right, seed=1) == Doubts(n=20, true=0, flipped=20)
    assert count_doubts(right + wrong, seed=1).true == 3


def test_a_flip_to_what_the_model_says_is_not_doubted() -> None:
    found = count_doubts([said("normal", "adenocarcinoma")] * 300, seed=1)
    assert found.true == 300
    assert 160 < found.flipped < 240  # two of the three other classes are not what the model says


@pytest.mark.parametrize(("rest", "confident_above"), [(0.04, 0.9), (0.06, 0.5)])
def test_an_unsure_model_doubts_nothing(rest: float, confident_above: float) -> None:
    unsure = [said(name, name, rest, confident_above) for name in CLASSES]
    assert count_doubts(unsure, seed=1) == Doubts(n=4, true=0, flipped=0)


def test_what_the_gate_refuses_or_nothing_decodes_is_left_out(tiny_bundle: Path, tmp_path: Path) -> None:
    reader = ImageReader(Predictor.load(gated_copy(tiny_bundle, tmp_path / "gated")))
    photo = np.full((128, 128), 255, np.uint8)
    photo[::16] = 0
    read = [(drawn_png(1), "normal"), (encoded(photo), "normal"), (b"no picture", "normal"), (drawn_png(2), "other")]
    assert [one.class_name for one in ask(reader, incoming(*read))] == ["normal", "other"]
