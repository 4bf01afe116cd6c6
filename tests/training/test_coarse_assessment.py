"""A data set that only knows cancer or none still says how good a model of subtypes is."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from hilum.cli import main
from hilum.dataset.importer import import_dataset
from hilum.training.pipeline import train
from hilum.training.training_settings import TrainingSettings


@pytest.fixture
def model(phantom_dataset: Path, tmp_path: Path, tiny_backbone: None) -> Path:
    settings = TrainingSettings(side=64, epochs=2, mode="head")
    return train(import_dataset(phantom_dataset), tmp_path / "model", settings, lambda *step: None)


def test_coarse_labels_measure_cancer_against_none(model: Path, write_classes: Callable[..., Path]) -> None:
    data = write_classes(benign=2, malignant=5, normal=4)
    command = ["evaluate", "--model", str(model), "--data", str(data), "--split", "all", "--ignore", "benign"]
    result = CliRunner().invoke(main, [*command, "--json"])
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)
    assert measured["n"] == 9
    assert 0 <= measured["cancer"]["auroc"]["value"] <= 1
    labels = {row["label"]: row for row in measured["by_label"]}
    assert labels["malignant"]["meaning"] == ["adenocarcinoma", "large_cell_carcinoma", "squamous_cell_carcinoma"]
    assert labels["benign"]["meaning"] == []
    assert [labels[name]["n"] for name in ("benign", "malignant", "normal")] == [2, 5, 4]
    assert measured["cancer"]["sensitivity"]["value"] == pytest.approx(labels["malignant"]["called_cancer"]["value"])

    table = CliRunner().invoke(main, command)
    assert "no class of this model" in table.stdout
    assert "AUROC" in table.stdout


def test_a_label_nobody_explains_is_refused(model: Path, write_classes: Callable[..., Path]) -> None:
    data = write_classes(benign=2, malignant=5)
    result = CliRunner().invoke(main, ["evaluate", "--model", str(model), "--data", str(data), "--split", "all"])
    assert result.exit_code == 4
    assert "does not know the classes benign" in result.stderr
    assert "--ignore benign" in result.stderr


def test_ignored_images_are_left_out_and_the_classes_measured(model: Path, write_classes: Callable[..., Path]) -> None:
    data = write_classes(benign=2, adenocarcinoma=5, normal=4)
    command = ["evaluate", "--quick", "--model", str(model), "--data", str(data), "--split", "all"]
    result = CliRunner().invoke(main, [*command, "--ignore", "benign", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["n"] == 9
    assert json.loads((model / "metrics.json").read_bytes())["split_truth"][0]["name"] == "all images"


def test_the_hint_after_training_measures_what_was_set_aside(
    tmp_path: Path, write_classes: Callable[..., Path], tiny_backbone: None
) -> None:
    data = write_classes(benign=6, nodule=7, normal=7)
    train_it = ["train", "--data", str(data), "--out", str(tmp_path / "my model"), "--mode", "head", "--side", "64"]
    untested = CliRunner().invoke(main, [*train_it, "--epochs", "2", "--ignore", "benign"])
    assert "its data have no test split" in untested.stdout
    assert "No class counts as a cancer (nodule, normal)" in untested.stderr
    for name in ("benign", "nodule", "normal"):
        (data / "test" / name).mkdir(parents=True)
        (data / "train" / name / "0.png").rename(data / "test" / name / "0.png")
    tested = CliRunner().invoke(main, [*train_it, "--epochs", "2", "--ignore", "benign"])
    hint = shlex.split(tested.stdout.split("measure it with: hilum ")[1])
    assert CliRunner().invoke(main, [*hint, "--quick"]).exit_code == 0
