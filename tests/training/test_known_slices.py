"""Training leaves a list of its slices in the bundle, made from the graph that is served."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from hilum.cli import main
from hilum.dataset.importer import import_dataset
from hilum.imaging.preprocess import Preprocessing, preprocess
from hilum.inference.bundle import open_bundle
from hilum.inference.engines import EngineOutput
from hilum.inference.neighbours import NEIGHBOURS, Neighbours
from hilum.inference.predictor import Predictor
from hilum.training.look_alikes import make_neighbours, read_known_slices


class MeanEngine:
    """Gives the means of 16 columns as features."""

    name = "means"

    def run(self, batch: np.ndarray) -> EngineOutput:
        columns = batch.reshape(len(batch), batch.shape[1], 16, -1).mean(axis=(1, 3))
        return EngineOutput(columns[:, :4], np.zeros((len(batch), 1, 1, 4), np.float32), columns)


def listed(folder: Path, *, anonymous: bool) -> tuple[Neighbours, np.ndarray]:
    """The neighbours of a data set's training slices, and their tensors."""
    manifest = import_dataset(folder)
    records = manifest.trainable_records(splits=("train", "valid", ""))
    files = [(manifest.path_of(record), record) for record in records]
    pictures = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file, _ in files]
    settings = Preprocessing(side=64)
    tensors = np.stack([preprocess(picture, settings) for picture in pictures])
    return make_neighbours(read_known_slices(files, settings, anonymous=anonymous), MeanEngine(), tensors), tensors


def test_every_training_slice_is_found_under_its_name_and_class(phantom_dataset: Path) -> None:
    neighbours, tensors = listed(phantom_dataset, anonymous=False)
    manifest = import_dataset(phantom_dataset)
    records = manifest.trainable_records(splits=("train", "valid", ""))
    features = MeanEngine().run(tensors).features
    assert features is not None
    for record, row in zip(records, features, strict=True):
        nearest = neighbours.nearest(row, 1)[0]
        assert (nearest.name, nearest.class_name, nearest.source) == (record.path, record.class_name, manifest.source)
        assert nearest.similarity == pytest.approx(1, abs=1e-4)
        assert neighbours.identity(record.sha256) == "same-file"


def test_names_stay_out_when_asked(phantom_dataset: Path, tmp_path: Path) -> None:
    neighbours, _ = listed(phantom_dataset, anonymous=True)
    neighbours.save(tmp_path / NEIGHBOURS)
    assert set(Neighbours.load(tmp_path / NEIGHBOURS).names.tolist()) == {""}
    assert b".png" not in (tmp_path / NEIGHBOURS).read_bytes()


def test_the_same_slices_make_the_same_file(phantom_dataset: Path, tmp_path: Path) -> None:
    files = []
    for name in ("a.npz", "b.npz"):
        listed(phantom_dataset, anonymous=False)[0].save(tmp_path / name)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]


@pytest.mark.usefixtures("tiny_backbone")
def test_a_trained_bundle_knows_what_it_was_trained_on(phantom_dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    options = ["--mode", "head", "--side", "64", "--epochs", "2"]
    arguments = ["train", "--data", str(phantom_dataset), "--out", str(out), *options]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert NEIGHBOURS in open_bundle(out).manifest.files

    slices = sorted((phantom_dataset / "train").rglob("*.png"))
    predictor = Predictor.load(out, answers_all=True)
    for path in slices[::5]:
        prediction = predictor.predict(path.read_bytes(), similar=3)
        assert prediction.training_match == "same-file"
        assert prediction.look_alikes is not None
        assert prediction.look_alikes[0].name == path.relative_to(phantom_dataset).as_posix()
        assert prediction.look_alikes[0].similarity == pytest.approx(1, abs=2e-3)

    manifest = json.loads((out / "manifest.json").read_text())
    manifest["gate"] = None  # it would refuse these drawings
    del manifest["files"]["gate.onnx"]
    (out / "manifest.json").write_text(json.dumps(manifest))
    renamed = shutil.copy(slices[0], tmp_path / "[red]renamed.png")
    table = CliRunner().invoke(main, ["predict", "--model", str(out), "--similar", "2", str(renamed)]).stdout
    assert "the model was trained on this slice" in table
    assert slices[0].relative_to(phantom_dataset).as_posix() in table
    assert "[red]renamed.png" in table
    line = CliRunner().invoke(main, ["predict", "--model", str(out), "--json", "--similar", "2", str(renamed)]).stdout
    answer = json.loads(line)
    assert answer["training_match"] == "same-file"
    assert [set(one) for one in answer["look_alikes"]] == [{"class_name", "name", "source", "similarity"}] * 2


def test_a_model_without_a_list_refuses_look_alikes_with_exit_code_5(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "slice.png").write_bytes(b"whatever it is")
    arguments = ["predict", "--model", str(tiny_bundle), "--similar", "1", str(tmp_path / "slice.png")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 5
    assert "keeps no list of its training slices" in result.stderr
