"""From a folder of slices to a bundle that opens, answers as Keras does, is measured, and goes on when killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from hilum.cli import main
from hilum.dataset.importer import import_dataset
from hilum.errors import TrainingFailed
from hilum.imaging.decode import decode
from hilum.imaging.preprocess import preprocess
from hilum.inference.bundle import open_bundle
from hilum.inference.calibration import calibrated_probabilities
from hilum.inference.predictor import Predictor
from hilum.training.pipeline import TrainingSettings, operating_point, train


class Interruption(Exception):
    """Stands for a kill or a cancel."""


def hilum(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def silent(stage: str, share: float, words: str) -> None: ...


@pytest.fixture(scope="module")
def trained(phantom_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle trained by the command line."""
    out = tmp_path_factory.mktemp("models") / "mine"
    result = hilum(
        "train", "--data", phantom_dataset, "--out", out, "--mode", "head", "--side", 64, "--epochs", 15
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "hilum evaluate" in result.stdout
    assert "epoch 1/15" in result.stderr
    return out


def test_the_bundle_is_whole_and_says_what_it_is(trained: Path, phantom_dataset: Path) -> None:
    bundle = open_bundle(trained)
    manifest = bundle.manifest
    assert bundle.load_engine(threads=1)
    assert manifest.class_names == ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")
    assert manifest.cancer_class_names == ("adenocarcinoma", "large_cell_carcinoma", "squamous_cell_carcinoma")
    assert manifest.preprocessing.side == 64
    assert manifest.dataset_digest == import_dataset(phantom_dataset).digest
    assert manifest.training["mode"] == "head"
    assert manifest.training["slices"] == 28
    assert 0.5 <= manifest.confident_above <= 0.99
    assert {"model.keras", "model.onnx", "training.json"} <= set(manifest.files)
    assert not trained.with_name("mine.partial").exists()
    history = json.loads((trained / "training.json").read_text())
    epochs = [row["epoch"] for row in history["training_history"]]
    assert epochs == list(range(1, len(epochs) + 1))
    assert manifest.training["best_epoch"] in epochs
    assert history["class_distribution"]["test"]["normal"] == 3


def test_the_served_graph_answers_as_keras_does(trained: Path, phantom_dataset: Path) -> None:
    manifest = open_bundle(trained).manifest
    assert manifest.parity["model.onnx"].max_probability_difference <= 1e-3
    assert manifest.parity["model.onnx"].n == 28
    classifier = keras.models.load_model(trained / "model.keras")
    predictor = Predictor.load(trained)
    tolerance = 1e-3 if manifest.engine_files[0] == "model.onnx" else 0.1
    for path in sorted((phantom_dataset / "test").rglob("*.png"))[::4]:
        data = path.read_bytes()
        tensor = preprocess(decode(data).pixels, manifest.preprocessing)
        expected = calibrated_probabilities(classifier.predict(tensor[np.newaxis], verbose=0), manifest.temperature)[0]
        assert list(predictor.predict(data).probabilities.values()) == pytest.approx(expected, abs=tolerance)


def test_evaluating_adds_verified_figures_card_and_pictures(trained: Path, phantom_dataset: Path) -> None:
    before = open_bundle(trained).manifest
    result = hilum("evaluate", "--model", trained, "--data", phantom_dataset, "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    written = json.loads((trained / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert printed == written
    assert written["n"] == 12
    assert written["split"] == "test"
    assert {"accuracy", "precision", "recall", "f1", "confusion_matrix", "per_class"} <= set(written)
    assert np.sum(written["confusion_matrix"]) == 12
    assert written["training_history"][0].keys() >= {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}

    card = (trained / "card.md").read_text()
    assert before.model_version in card
    assert "not a medical device" in card
    assert "kaggle" not in card.lower()  # these phantoms are not the reference data set
    pictures = {path.name for path in trained.glob("*.png")}
    assert pictures == {"confusion-matrix.png", "roc.png", "reliability.png", "training-history.png"}
    assert all(f"]({picture})" in card for picture in pictures)
    after = open_bundle(trained).manifest
    assert set(after.files) == set(before.files) | pictures | {"metrics.json", "card.md"}
    assert after.model_version == before.model_version


def test_figures_can_be_written_elsewhere(trained: Path, phantom_dataset: Path, tmp_path: Path) -> None:
    before = (trained / "manifest.json").read_bytes()
    result = hilum(
        "evaluate", "--model", trained, "--data", phantom_dataset, "--split", "all", "--out", tmp_path / "figures"
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "macro F1" in result.stdout
    assert json.loads((tmp_path / "figures" / "metrics.json").read_text())["n"] == 40
    assert (tmp_path / "figures" / "card.md").is_file()
    assert (trained / "manifest.json").read_bytes() == before


def test_a_split_that_is_not_there_is_refused(trained: Path, phantom_dataset: Path) -> None:
    result = hilum("evaluate", "--model", trained, "--data", phantom_dataset, "--split", "valid")
    assert result.exit_code == 4
    assert "no image in its split 'valid'" in result.stderr


def test_classes_the_model_does_not_know_are_refused(trained: Path, write_classes: Callable[..., Path]) -> None:
    result = hilum("evaluate", "--model", trained, "--data", write_classes(sarcoma=1, normal=1), "--split", "train")
    assert result.exit_code == 4
    assert "does not know the classes sarcoma" in result.stderr


def test_a_data_set_without_some_of_the_classes_can_be_measured(
    trained: Path, write_classes: Callable[..., Path], tmp_path: Path
) -> None:
    data = write_classes(adenocarcinoma=3, normal=3)
    result = hilum("evaluate", "--model", trained, "--data", data, "--split", "all", "--out", tmp_path / "figures")
    assert result.exit_code == 0, result.output
    assert "| train | 3 | 0 | 3 | 0 |" in (tmp_path / "figures" / "card.md").read_text()


def test_the_trained_model_predicts(trained: Path, phantom_dataset: Path, tmp_path: Path) -> None:
    picture = next((phantom_dataset / "test" / "normal").iterdir())
    heat_map = tmp_path / "heat.png"
    result = hilum("predict", "--model", trained, "--json", "--explain", heat_map, picture)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["model_version"] == open_bundle(trained).manifest.model_version
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert decode(heat_map.read_bytes()).pixels.shape == (128, 128)


@pytest.mark.usefixtures("tiny_backbone")
def test_a_full_training_that_is_killed_goes_on_and_then_starts_anew(
    write_classes: Callable[..., Path], tmp_path: Path
) -> None:
    manifest = import_dataset(write_classes(benign=8, malignant=8))
    out, settings = tmp_path / "model", TrainingSettings(side=64, epochs=4)
    steps: list[tuple[str, str]] = []

    def interrupt(stage: str, share: float, words: str) -> None:
        if (stage, share) == ("fit", 0.5):
            raise Interruption

    with pytest.raises(Interruption):
        train(manifest, out, settings, interrupt)
    assert not out.exists()
    train(manifest, out, settings, lambda stage, share, words: steps.append((stage, words.partition("  ")[0])))
    assert [words for stage, words in steps if stage == "fit"] == ["epoch 3/4", "epoch 4/4"]
    assert [words for stage, words in steps if stage == "refit"][-1].startswith("epoch")

    bundle = open_bundle(out)
    assert bundle.load_engine(threads=1)
    assert bundle.manifest.cancer_class_names == ("malignant",)
    history = json.loads((out / "training.json").read_text())["training_history"]
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]

    steps.clear()
    train(manifest, out, TrainingSettings(side=64, epochs=3, refit=False), lambda *step: steps.append(step[::2]))
    assert [stage for stage, _ in steps if stage in {"fit", "refit"}] == ["fit"] * 3
    assert open_bundle(out).manifest.training["refit"] is False


@pytest.mark.usefixtures("tiny_backbone")
def test_few_patients_make_fewer_folds(write_classes: Callable[..., Path], tmp_path: Path) -> None:
    root = write_classes(benign=6, malignant=9)
    rows = [
        f"train/{name}/{i}.png,{name}-{i % 2}"
        for name, count in (("benign", 6), ("malignant", 9))
        for i in range(count)
    ]
    (root / "groups.csv").write_text("\n".join(["path,group", *rows]))
    train(import_dataset(root), tmp_path / "model", TrainingSettings(side=64, epochs=2, mode="head"), silent)
    held_out = open_bundle(tmp_path / "model").manifest.training["held_out_slices"]
    assert held_out in {7, 8}  # one of two patients a class


@pytest.mark.parametrize(
    ("counts", "groups", "words"),
    [
        ({"benign": 9}, 9, "at least two classes"),
        ({"benign": 9, "malignant": 4}, 9, "'malignant' has 4 usable slices"),
        ({"benign": 9, "malignant": 9}, 1, "'benign' all show the same slice or patient"),
    ],
)
def test_data_that_do_not_suffice_are_refused_before_any_work(
    write_classes: Callable[..., Path], tmp_path: Path, counts: dict[str, int], groups: int, words: str
) -> None:
    root = write_classes(**counts)
    rows = [f"train/{name}/{i}.png,{name}-{i % groups}" for name, count in counts.items() for i in range(count)]
    (root / "groups.csv").write_text("\n".join(["path,group", *rows]))
    result = hilum("train", "--data", root, "--out", tmp_path / "model")
    assert result.exit_code == 6
    assert words in result.stderr
    assert not list(tmp_path.glob("model*"))


def test_a_folder_of_anything_else_is_not_replaced(phantom_dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "models" / "older").mkdir(parents=True)
    (tmp_path / "notes.txt").touch()
    for out in (tmp_path / "models", tmp_path / "notes.txt"):
        result = hilum("train", "--data", phantom_dataset, "--out", out)
        assert result.exit_code == 6
        assert "is no bundle" in result.stderr
    assert (tmp_path / "models" / "older").is_dir()


def test_an_unknown_architecture_is_said_to_be_one(phantom_dataset: Path, tmp_path: Path) -> None:
    result = hilum("train", "--data", phantom_dataset, "--out", tmp_path / "m", "--side", 32, "--arch", "resnet")
    assert result.exit_code == 6
    assert "efficientnet-lite0" in result.stderr


def test_a_graph_that_disagrees_with_keras_is_not_released(
    phantom_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_backbone: None
) -> None:
    monkeypatch.setattr("hilum.training.packing.MAX_PARITY_DIFFERENCE", -1.0)
    settings = TrainingSettings(side=64, epochs=1, mode="head")
    with pytest.raises(TrainingFailed, match="ONNX graph's probabilities differ from Keras's"):
        train(import_dataset(phantom_dataset), tmp_path / "model", settings, silent)
    assert not (tmp_path / "model").exists()


def two_class(confidence: list[float]) -> np.ndarray:
    return np.array([[value, 1 - value] for value in confidence])


def test_the_operating_point_is_where_held_out_slices_become_reliable() -> None:
    probabilities = two_class([0.99, 0.95, 0.9, 0.8, 0.7, 0.6])
    assert operating_point(probabilities, np.array([0, 0, 0, 0, 1, 0])) == pytest.approx(0.8)
    assert operating_point(probabilities, np.array([0, 0, 0, 0, 0, 0])) == pytest.approx(0.6)


def test_a_model_that_is_always_wrong_is_confident_of_nothing() -> None:
    assert operating_point(two_class([0.9, 0.8, 0.7]), np.array([1, 1, 1])) == 0.99


def test_equally_confident_answers_are_on_the_same_side() -> None:
    assert operating_point(two_class([0.95, 0.8, 0.8, 0.8]), np.array([0, 0, 1, 1])) == pytest.approx(0.95)


@given(st.lists(st.tuples(st.floats(0.5, 0.989), st.booleans()), min_size=1, max_size=80))
def test_above_the_operating_point_the_promise_is_kept(slices: list[tuple[float, bool]]) -> None:
    confidence, right = zip(*slices, strict=True)
    probabilities = two_class(list(confidence))
    labels = np.where(right, probabilities.argmax(axis=1), 1 - probabilities.argmax(axis=1))
    threshold = operating_point(probabilities, labels)
    is_confident = probabilities.max(axis=1) >= threshold
    assert 0.5 <= threshold <= 0.99
    assert not is_confident.any() or np.array(right)[is_confident].mean() >= 0.97
