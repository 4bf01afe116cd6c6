"""Every figure is drawn, also where figures are undefined; how they look was judged by eye."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.evaluation import Evaluation, evaluate

pytest.importorskip("matplotlib", reason="figures are drawn where the train extra is installed")

from hilum.training.figures import write_figures

NAMES = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")
HISTORY = [
    {"loss": 1.4 / e, "accuracy": 1 - 0.6 / e, "val_loss": 1.5 / e, "val_accuracy": 1 - 0.7 / e, "stage": e > 6}
    for e in range(1, 20)
]


def simulate(n: int = 315, count: int = 4, n_bootstrap: int = 200) -> Evaluation:
    rng = np.random.default_rng(0)
    labels = rng.choice(count, n)
    scores = rng.normal(size=(n, count)) + 2.2 * np.eye(count)[labels]
    probabilities = np.exp(1.6 * scores)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return evaluate(probabilities, labels, NAMES[:count], n_bootstrap=n_bootstrap)


def test_all_four_are_written_as_readable_pictures(tmp_path: Path) -> None:
    written = write_figures(simulate(), HISTORY, tmp_path / "new" / "figures")
    names = ["confusion-matrix.png", "roc.png", "reliability.png", "training-history.png"]
    assert [path.name for path in written] == names
    for path in written:
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert picture is not None
        assert min(picture.shape) > 400
        assert picture.std() > 10


def test_without_history_there_is_no_history_figure(tmp_path: Path) -> None:
    assert len(write_figures(simulate(), None, tmp_path)) == 3
    assert not (tmp_path / "training-history.png").exists()


def test_undefined_figures_and_gaps_are_left_out(tmp_path: Path) -> None:
    one_class = evaluate([[0.7, 0.3], [0.4, 0.6]], [0, 0], ("normal", "benign"), n_bootstrap=0)
    history = [{"loss": math.nan}, {"loss": 0.5, "accuracy": None}]
    assert len(write_figures(one_class, history, tmp_path)) == 4


def test_same_evaluation_gives_same_bytes(tmp_path: Path) -> None:
    evaluation = simulate(50)
    first, second = (write_figures(evaluation, HISTORY, tmp_path / name) for name in "ab")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
