"""`hilum predict --study` and `--sr`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pydicom
import pytest
from click.testing import CliRunner, Result

from hilum.cli import main
from hilum.inference.bundle import MANIFEST
from series_files import series_slice, zip_of
from unreadable_files import refuse_to_read


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """A folder with four slices and a note."""
    folder = tmp_path / "series"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.dcm").write_bytes(series_slice(number))
    (folder / "note.txt").write_text("no slice")
    return folder


@pytest.fixture
def benign_bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle none of whose classes is a cancer."""
    bundle = shutil.copytree(tiny_bundle, tmp_path / "benign")
    manifest = json.loads((bundle / MANIFEST).read_text())
    (bundle / MANIFEST).write_text(json.dumps(manifest | {"cancer_class_names": []}))
    return bundle


def run(*arguments: object) -> Result:
    """Runs `hilum predict`."""
    return CliRunner().invoke(main, ["predict", *map(str, arguments)], prog_name="hilum")


def test_a_folder_and_a_zip_of_a_series(series: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    shown = run("--study", series, "--model", tiny_bundle)
    assert shown.exit_code == 0, shown.output
    assert "by the 3 most suspicious of 4 slices; review" in shown.output
    assert "note.txt: refused, unsupported-media-type" in shown.output
    zipped = tmp_path / "series.zip"
    zipped.write_bytes(zip_of([series_slice(number) for number in (1, 0)]))
    told = json.loads(run("--study", "--json", zipped, "--model", tiny_bundle).stdout)
    assert told["series"][0]["order"] == [1, 0]
    assert told["series"][0]["aggregate"]["decision"] == "review"


def test_a_file_that_cannot_be_read_stops_no_series(
    series: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_to_read(monkeypatch, "2.dcm")
    shown = run("--study", series, "--model", tiny_bundle)
    assert shown.exit_code == 0, shown.output
    assert "of 3 slices" in shown.output
    assert "2.dcm: refused, input-rejected: the file cannot be read: Permission denied" in shown.output


def test_a_model_without_cancer_classes_answers_a_series(series: Path, benign_bundle: Path, tmp_path: Path) -> None:
    shown = run("--study", series, "--model", benign_bundle, "--sr", tmp_path / "report.dcm")
    assert shown.exit_code == 0, shown.output
    assert "cancer 0" not in shown.output
    assert "by all slices; review" in shown.output


def test_reports_of_a_series_and_of_a_slice(series: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    for source, options in ((series, ["--study"]), (series / "0.dcm", [])):
        report = tmp_path / "report.dcm"
        result = run(source, *options, "--sr", report, "--model", tiny_bundle)
        assert result.exit_code == 0, result.output
        assert pydicom.dcmread(report).Modality == "SR"


def test_what_cannot_be_done_is_said(series: Path, tiny_bundle: Path, tmp_path: Path, slice_png: bytes) -> None:
    (tmp_path / "a.png").write_bytes(slice_png)
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04junk")
    (tmp_path / "empty").mkdir()
    model = ("--model", tiny_bundle)
    assert run(tmp_path / "a.png", "--sr", tmp_path / "r.dcm", *model).exit_code == 3
    assert run("--study", tmp_path / "bad.zip", *model).exit_code == 3
    assert run("--study", tmp_path / "none.zip", *model).exit_code == 3
    assert run("--study", tmp_path / "empty", *model).exit_code == 3
    assert run("--study", series, "--similar", 2, *model).exit_code == 2
    assert run("--study", series, series, *model).exit_code == 2
    assert run(series / "0.dcm", "--sr", tmp_path / "no" / "r.dcm", *model).exit_code == 2
