"""From a folder of slices to a bundle that opens, answers as Keras does, is measured, and goes on when killed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from click.testing import CliRunner, Result

from hilum.cli import main
from hilum.dataset.importer import import_dataset
from hilum.errors import TrainingFailed
from hilum.imaging.decode import decode
from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import preprocess
from hilum.inference.bundle import add_to_bundle, open_bundle
from hilum.inference.calibration import calibrated_probabilities
from hilum.inference.measured_answers import MeasuredAnswers
from hilum.inference.predictor import Predictor
from hilum.training.architectures import build_classifier
from hilum.training.pipeline import train
from hilum.training.training_settings import TrainingSettings


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
    assert len(history["held_out_logits"]) == len(history["trained_on_sha256"]) == 28
    held_out = [row for row in history["held_out_logits"] if row is not None]
    assert len(held_out) == manifest.training["held_out_slices"]
    assert {len(row) for row in held_out} == {4}
    assert history["class_distribution"]["test"]["normal"] == 3


def test_the_served_graph_answers_as_keras_does(trained: Path, phantom_dataset: Path) -> None:
    manifest = open_bundle(trained).manifest
    assert manifest.parity["model.onnx"].max_probability_difference <= 1e-3
    assert manifest.parity["model.onnx"].n == 28
    classifier = keras.models.load_model(trained / "model.keras")
    predictor = Predictor.load(trained, answers_all=True)
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
    answers = MeasuredAnswers.load(trained / "answers.json")
    assert [
        [len(answers.cell(truth, said)) for said in answers.class_names] for truth in answers.class_names
    ] == written["confusion_matrix"]
    assert written["training_history"][0].keys() >= {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}

    card = (trained / "card.md").read_text()
    assert before.model_version in card
    assert "not a medical device" in card
    assert "kaggle" not in card.lower()  # these phantoms are not the reference data set
    pictures = {path.name for path in trained.glob("*.png")}
    curves = {"confusion-matrix.png", "roc.png", "reliability.png", "training-history.png"}
    assert pictures == curves | {"feature-importance.png"}
    assert all(f"]({picture})" in card for picture in pictures)
    after = open_bundle(trained).manifest
    assert set(after.files) == set(before.files) | pictures | {"metrics.json", "answers.json", "card.md"}
    assert after.model_version == before.model_version


def test_evaluating_tells_what_the_answers_hang_on(trained: Path, phantom_dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures"
    result = hilum("evaluate", "--model", trained, "--data", phantom_dataset, "--out", out)
    assert result.exit_code == 0, result.output
    written = json.loads((out / "metrics.json").read_text())
    assert written["explanation_check"]["n"] == written["robustness"]["n"] == 12
    importance = written["feature_importance"]
    assert {row["region"] for row in importance["regions"]} > {"left_lung", "right_lung", "mediastinum", "chest_wall"}
    assert {"brightness", "contrast", "sharpness"} <= {row["property"] for row in importance["properties"]}
    assert all(len(row["per_class"]) == 4 for row in importance["regions"] + importance["properties"])
    assert written["split_truth"][0]["name"] == "test split"
    assert re.search(r"marked review +\d\.\d{4} +\d\.\d{4} – \d\.\d{4} +12", result.stdout), "with its interval and n"
    card = (out / "card.md").read_text()
    for heading in ("Explanation check", "What the answers hang on", "Robustness", "Intended use", "Limits"):
        assert f"## {heading}" in card
    assert written["robustness"]["sentence"] in card
    assert all(sentence in card and sentence in " ".join(result.stdout.split()) for sentence in importance["sentences"])


def test_a_quick_evaluation_leaves_the_probes_out(trained: Path, phantom_dataset: Path, tmp_path: Path) -> None:
    result = hilum("evaluate", "--quick", "--model", trained, "--data", phantom_dataset, "--out", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    written = json.loads(result.stdout)
    assert written["n"] == 12
    assert [written[name] for name in ("explanation_check", "feature_importance", "robustness")] == [None] * 3
    assert "## Robustness" not in (tmp_path / "card.md").read_text()


def test_other_splits_and_data_are_told_after_the_official_ones(
    trained: Path, phantom_dataset: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "model"
    shutil.copytree(trained, bundle)
    record = json.loads((bundle / "training.json").read_text())
    figure = {"value": 0.812, "low": 0.777, "high": 0.846}
    split = {"n": 577, "accuracy": figure, "macro_f1": figure, "note": "no group on both sides"}
    record["split_truth"] = [
        {"name": "grouped cross-validation", **split},
        {"name": "random cross-validation", **split},
    ]
    record["external"] = [
        {
            "name": "iq-oth-nccd",
            "n": 180,
            "auroc": figure,
            "sensitivity": figure,
            "specificity": figure,
            "note": "left out",
        }
    ]
    (bundle / "training.json").write_text(json.dumps(record))
    add_to_bundle(bundle, [bundle / "training.json"])

    result = hilum("evaluate", "--quick", "--model", bundle, "--data", phantom_dataset)

    assert result.exit_code == 0, result.output
    assert re.search(r"iq-oth-nccd: left out +180 +0\.8120 0\.7770 – 0\.8460", result.stdout)
    written = json.loads((bundle / "metrics.json").read_text())
    names = [row["name"] for row in written["split_truth"]]
    assert names[0] == "test split"
    assert names[-2:] == ["grouped cross-validation", "random cross-validation"]
    assert written["accuracy"] == written["split_truth"][0]["accuracy"] != written["split_truth"][-1]["accuracy"]
    assert written["external"][0]["specificity"] == figure | {"n": 180}
    card = (bundle / "card.md").read_text()
    assert "| random cross-validation | 577 | 0.812 [0.777, 0.846] |" in card
    assert "| iq-oth-nccd | 180 | 0.812 [0.777, 0.846] |" in card
    assert "random cross-validation" in result.stdout


def test_figures_can_be_written_elsewhere(trained: Path, phantom_dataset: Path, tmp_path: Path) -> None:
    before = (trained / "manifest.json").read_bytes()
    result = hilum(
        "evaluate", "--model", trained, "--data", phantom_dataset, "--split", "all", "--out", tmp_path / "figures"
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "macro F1" in result.stdout
    assert "log loss" in result.stdout
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


def test_the_trained_model_predicts_and_has_inherited_the_gate(trained: Path, tmp_path: Path) -> None:
    picture = tmp_path / "phantom.png"
    cv2.imwrite(str(picture), draw_phantom(0, side=128))
    heat_map = tmp_path / "heat.png"
    result = hilum("predict", "--model", trained, "--json", "--explain", heat_map, picture)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["model_version"] == open_bundle(trained).manifest.model_version
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert decode(heat_map.read_bytes()).pixels.shape == (128, 128)

    no_chest = tmp_path / "stripes.png"
    cv2.imwrite(str(no_chest), np.tile(np.uint8([0, 0, 0, 255, 255, 255]), (128, 22)))
    refused = hilum("predict", "--model", trained, "--json", no_chest)
    assert refused.exit_code == 3
    assert json.loads(refused.stdout)["code"] == "not-a-chest-ct"


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


def test_the_blocks_above_a_frozen_trunk_are_learnt_and_the_trunk_stays_frozen_in_the_next_training(
    write_classes: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hilum.training.upper_fitter.VARIANTS", 2)
    monkeypatch.setattr(
        "hilum.training.packing._is_worth_serving", lambda *_: False
    )  # else the machine's speed decides
    root, out = write_classes(benign=8, malignant=8), tmp_path / "model"
    result = hilum("train", "--data", root, "--out", out, "--side", 64, "--epochs", 3, "--frozen-blocks", 12)
    assert result.exit_code == 0, result.output
    assert open_bundle(out).manifest.training["mode"] == "upper"
    assert open_bundle(out).manifest.training["frozen_blocks"] == 12
    train(import_dataset(root), tmp_path / "next", TrainingSettings(parent=out, epochs=3, refit=False), silent)
    start, first, second = (
        build_classifier("efficientnet-lite0", 64, 2),
        *(keras.models.load_model(bundle / "model.keras", compile=False) for bundle in (out, tmp_path / "next")),
    )

    def kernel(model: keras.Model, block: int) -> list[np.ndarray]:
        return [*model.get_layer(f"blocks_{block}_project_conv").get_weights()]

    for block, is_frozen in ((11, True), (12, False)):
        assert np.array_equal(kernel(first, block), kernel(start, block)) == is_frozen
        assert np.array_equal(kernel(second, block), kernel(first, block)) == is_frozen


def test_every_weight_of_an_architecture_without_known_blocks_is_learnt(
    write_classes: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[TrainingSettings] = []
    monkeypatch.setattr(
        "hilum.training.pipeline.train", lambda manifest, out, settings, *_, **__: asked.append(settings)
    )
    data = write_classes(benign=2)
    for architecture in ("efficientnet-lite1", "ResNet50"):
        hilum("train", "--data", data, "--out", tmp_path / "model", "--arch", architecture)
    assert [settings.mode for settings in asked] == ["upper", "full"]


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
    monkeypatch.setattr("hilum.training.parity.MAX_PARITY_DIFFERENCE", -1.0)
    settings = TrainingSettings(side=64, epochs=1, mode="head")
    with pytest.raises(TrainingFailed, match="ONNX graph's probabilities differ from Keras's"):
        train(import_dataset(phantom_dataset), tmp_path / "model", settings, silent)
    assert not (tmp_path / "model").exists()


@pytest.mark.usefixtures("tiny_backbone")
def test_a_cross_validated_model_of_two_data_sets_tells_what_each_split_promises(
    phantom_dataset: Path, write_classes: Callable[..., Path], tmp_path: Path
) -> None:
    other = write_classes(benign=3, malignant=12, normal=12)
    for path in other.rglob("*.png"):  # the same drawings as the main data set's, so they are mirrored
        cv2.imwrite(str(path), cv2.flip(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), 0))
    out = tmp_path / "model"
    options = ("--mode", "full", "--side", 64, "--epochs", 3, "--cross-validate", 2, "--fold-epochs", 1)
    result = hilum("train", "--data", phantom_dataset, "--out", out, "--also", other, "--ignore", "benign", *options)
    assert result.exit_code == 0, result.output

    manifest = open_bundle(out).manifest
    assert manifest.class_names == ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")
    assert manifest.sources == ("phantoms", "slices")
    assert manifest.training["slices"] == 28 + 24
    assert manifest.training["epochs_fitted"] == 3
    assert manifest.conformal is not None
    assert manifest.conformal.n == 28 + 12  # the malignant slices have no known subtype
    record = json.loads((out / "training.json").read_text())
    truths = {row["name"]: row for row in record["split_truth"]}
    assert list(truths) == [
        "grouped cross-validation",
        "series held out",
        "random cross-validation",
        "baseline: majority class",
        "baseline: logistic regression",
    ]
    one_fold = {"series held out", "random cross-validation"}
    assert {row["n"] for name, row in truths.items() if name not in one_fold} == {28}
    assert all(0 < truths[name]["n"] < 28 for name in one_fold)
    assert truths["baseline: majority class"]["accuracy"]["value"] == pytest.approx(0.25, abs=0.1)
    notes = [(row["name"], row["note"], row["n"]) for row in record["external"]]
    assert notes == [("slices", "grouped cross-validation", 24), ("slices", "left out of training entirely", 24)]
    assert all(0 <= row["auroc"]["value"] <= 1 for row in record["external"])
    assert len(record["trained_on_sha256"]) == 52


def test_labels_no_class_is_known_for_are_refused_with_the_remedy(
    phantom_dataset: Path, write_classes: Callable[..., Path], tmp_path: Path
) -> None:
    result = hilum(
        "train", "--data", phantom_dataset, "--out", tmp_path / "m", "--also", write_classes(benign=5, normal=5)
    )  # fmt: skip
    assert result.exit_code == 4
    assert "--ignore benign" in result.stderr
    result = hilum("train", "--data", phantom_dataset, "--out", tmp_path / "m", "--coarse", "malignant")
    assert result.exit_code == 2
    assert "LABEL=CLASS" in result.stderr


@pytest.mark.usefixtures("tiny_backbone")
@pytest.mark.parametrize("folds", [None, 2])
def test_a_further_data_set_with_a_single_slice_of_a_label_is_learnt_from_too(
    phantom_dataset: Path, tmp_path: Path, folds: int | None
) -> None:
    (tmp_path / "few" / "malignant").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "few" / "malignant" / "1.png"), draw_phantom(9, side=128))
    settings = TrainingSettings(side=64, epochs=1, mode="head", cross_validate=folds)
    few = import_dataset(tmp_path / "few")
    train(import_dataset(phantom_dataset), tmp_path / "model", settings, silent, also=[few])
    assert open_bundle(tmp_path / "model").manifest.training["slices"] == 29
