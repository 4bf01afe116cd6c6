"""`hilum dataset add` as a person meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from drawn_dataset import write_dataset
from hilum.cli import main
from labelled_samples import copies_of, drawn_png
from zip_files import pack


@pytest.fixture(autouse=True)
def state(tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State of its own, and a model to ask."""
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HILUM_MODEL", str(tiny_bundle))


def add(*arguments: object) -> Result:
    """Runs the command."""
    words = [str(argument) for argument in arguments]
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["dataset", "add", *words], prog_name="hilum")


def test_takes_a_data_set_in_and_says_what_became_of_each_file(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "data", {split: {"normal": 2, "adenocarcinoma": 2} for split in ("train", "test")})
    (root / "train" / "normal" / "leak.png").write_bytes((root / "test" / "normal" / "0.png").read_bytes())

    result = add(root, "--no-gate", "--new-classes")
    assert result.exit_code == 0, result.output
    assert "9 files: 8 accepted, 0 duplicate, 0 quarantined, 1 refused" in result.output
    assert "data/train/normal/leak.png" in result.output
    assert "holdout-image" in result.output
    again = add(root, "--json")
    items = json.loads(again.stdout)["items"]
    assert {item["status"] for item in items} == {"duplicate", "refused"}


def test_takes_a_zip_and_refuses_a_hostile_one_whole(tmp_path: Path) -> None:
    archive = tmp_path / "slices.zip"
    archive.write_bytes(pack(("data/train/normal/a.png", drawn_png(1)), ("data/test/normal/b.png", drawn_png(2))))
    assert "2 files: 2 accepted" in add(archive).output
    archive.write_bytes(pack(("normal/c.png", drawn_png(3)), ("../../evil.png", b"x")))
    refused = add(archive)
    assert (refused.exit_code, "unsafe path" in refused.output) == (3, True)
    archive.write_bytes(pack(("normal/c.png", drawn_png(3)), ("normal/JANE.txt", b"notes")))
    told = add(archive).output
    assert "slices.zip/normal/JANE.txt" in told
    assert "2 files: 1 accepted, 0 duplicate, 0 quarantined, 1 refused" in told


def test_takes_files_of_one_label_and_patient(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(drawn_png(3))
    assert "1 files: 1 accepted" in add(file, "--label", "Normal", "--group", "patient-1").output
    file.write_bytes(copies_of(3)["pixels"])
    assert "1 duplicate" in add(file, "--label", "normal").output
    file.write_bytes(drawn_png(4))
    assert "label-unknown" in add(file, "--label", "hamartoma").output


def test_says_what_is_wrong_with_the_path(tmp_path: Path) -> None:
    missing = add(tmp_path / "nowhere")
    assert (missing.exit_code, "does not exist" in missing.output) == (4, True)
    (tmp_path / "empty").mkdir()
    assert add(tmp_path / "empty").exit_code == 4
