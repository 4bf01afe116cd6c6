"""`hilum batch` and `hilum batches` as a person or a script meets them."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, slice_png: bytes) -> Path:
    """Two slices and a file that is none."""
    made = tmp_path / "in"
    (made / "b").mkdir(parents=True)
    (made / "b" / "1.png").write_bytes(slice_png)
    (made / "2.txt.png").write_bytes(b"no image")
    (made / "3.png").write_bytes(slice_png)
    return made


def _run(home: Path, bundle: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HILUM_HOME": str(home), "HILUM_MODEL": str(bundle), "HILUM_THREADS": "1"}
    command = [sys.executable, "-c", "from hilum.cli import main; main()", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_folder_is_scored_into_a_table_that_names_the_files(tmp_path: Path, tiny_bundle: Path, folder: Path) -> None:
    out = tmp_path / "results.csv"
    ran = _run(tmp_path / "home", tiny_bundle, "batch", str(folder), "--out", str(out), "--note", "old")
    assert ran.returncode == 0, ran.stderr
    assert "2 of 3 images have a result, 1 a problem" in ran.stderr
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [Path(row["file"]).name for row in rows] == ["2.txt.png", "3.png", "1.png"]
    assert [row["status"] for row in rows] == ["415", "200", "200"]
    assert rows[1]["model_version"].startswith("tiny-")

    (listed,) = _run(tmp_path / "home", tiny_bundle, "batches", "list", "--json").stdout.splitlines()
    batch = json.loads(listed)
    assert {"status": "done", "note": "old", "images": 3, "answered": 2, "refused": 1}.items() <= batch.items()
    shown = _run(tmp_path / "home", tiny_bundle, "batches", "show", batch["id"])
    assert json.loads(shown.stdout) == batch
    again = _run(tmp_path / "home", tiny_bundle, "batches", "results", batch["id"])
    lines = [json.loads(line) for line in again.stdout.splitlines()]
    assert [line["index"] for line in lines] == [0, 1, 2]
    assert "file" not in lines[0]
    assert lines[1]["result"]["predicted_class"] == rows[1]["predicted_class"]


def test_a_file_whose_name_is_no_text_is_scored_and_named(
    tmp_path: Path, tiny_bundle: Path, folder: Path, slice_png: bytes
) -> None:
    for file in folder.rglob("*.png"):
        file.unlink()
    (folder / os.fsdecode(b"b\xff.png")).write_bytes(slice_png)
    ran = _run(tmp_path / "home", tiny_bundle, "batch", str(folder))
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["file"].endswith(os.fsdecode(b"b\xff.png"))
    out = tmp_path / "results.csv"
    assert _run(tmp_path / "home", tiny_bundle, "batch", str(folder), "--out", str(out)).returncode == 0
    assert "b\\udcff.png" in out.read_text(encoding="utf-8")


def test_a_batch_may_be_left_to_others_and_cancelled(tmp_path: Path, tiny_bundle: Path, folder: Path) -> None:
    queued = _run(tmp_path / "home", tiny_bundle, "batch", str(folder), "--no-wait", "--model", str(tiny_bundle))
    assert queued.returncode == 0, queued.stderr
    batch_id = queued.stdout.strip()
    cancelled = _run(tmp_path / "home", tiny_bundle, "batches", "cancel", batch_id)
    assert cancelled.stdout.strip() == f"{batch_id} is cancelled"
    assert "cancelled" in _run(tmp_path / "home", tiny_bundle, "batches", "list").stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("batch", "nowhere"), 4, "nowhere does not exist"),
        (("batch", ".", "--out", "no/where.csv"), 2, "no folder"),
        (("batch", ".", "--model", "none-1"), 5, "no model of this version"),
        (("batches", "show", "7"), 2, "a batch's id is a UUID"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, tiny_bundle: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    ran = _run(tmp_path / "home", tiny_bundle, *words)
    assert (ran.returncode, told in ran.stderr) == (code, True), ran.stderr
