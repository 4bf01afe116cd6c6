"""The notebook as it is kept, and executed on drawn slices the way `make notebook` executes it on real ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from drawn_dataset import write_dataset
from hilum.services.reference import reference_bundle

NOTEBOOK = Path(__file__).parents[2] / "notebook/lung_cancer_analysis.ipynb"
CLASSES = ("adenocarcinoma", "large.cell.carcinoma", "normal", "squamous.cell.carcinoma")
SAME_FOR_EVERY_BUNDLE = {
    *("audit-run", "audit-eight-points", "audit-pictures"),
    *("training-small", "splits-small", "splits-difference"),
}


@pytest.fixture(scope="session")
def data_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn slices in the folders of the real data; one test slice is a copy of a training slice."""
    home = tmp_path_factory.mktemp("notebook-data")
    reference = write_dataset(
        home / "chest-ct-scan-images", {"train": dict.fromkeys(CLASSES, 7), "test": dict.fromkeys(CLASSES, 3)}
    )
    shutil.copy(reference / "train/normal/0.png", reference / "test/normal/copy.png")
    write_dataset(home / "iq-oth-nccd", {"": {"benign": 2, "malignant": 5, "normal": 5}}, seed=1000)
    (home / "not-chest-ct/drawn").mkdir(parents=True)
    shutil.copy(home / "iq-oth-nccd/normal/0.png", home / "not-chest-ct/drawn/0.png")
    return home


@pytest.fixture(scope="session")
def execute(data_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., NotebookNode]:
    """Executes a notebook with nbconvert; the keyword arguments are settings from the environment."""

    def run(notebook: Path, **settings: str) -> NotebookNode:
        out = tmp_path_factory.mktemp("notebook-out")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HILUM_")}
        given = {"HILUM_DATA": str(data_home), "HILUM_NOTEBOOK_OUT": str(out), "HILUM_NOTEBOOK_SAMPLE": "1"}
        nbconvert = [
            sys.executable,
            "-m",
            "nbconvert",
            "--to",
            "notebook",
            "--execute",
            "--ExecutePreprocessor.startup_timeout=300",
        ]
        command = [*nbconvert, "--output-dir", str(out), str(notebook)]
        done = subprocess.run(command, env=inherited | given | settings, capture_output=True, text=True, check=False)
        print(done.stderr[-4000:])  # noqa: T201 - pytest shows it
        done.check_returncode()
        return nbformat.read(out / notebook.name, as_version=4)

    return run


@pytest.fixture(scope="session")
def executed(execute: Callable[..., NotebookNode]) -> NotebookNode:
    """The whole notebook, with the bundled model."""
    return execute(NOTEBOOK)


@pytest.fixture(scope="session")
def executed_with_bare_bundle(
    execute: Callable[..., NotebookNode], tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> NotebookNode:
    """With a bundle that has neither history nor gate nor other splits; without the cells that do not look at it."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.id not in SAME_FOR_EVERY_BUNDLE]
    path = tmp_path_factory.mktemp("notebook-bare") / NOTEBOOK.name
    nbformat.write(notebook, path)
    return execute(path, HILUM_MODEL=str(tiny_bundle))


def printed(notebook: NotebookNode, cell_id: str) -> str:
    """What a cell shows as text or Markdown, without the terminal's colours."""
    cell = next(cell for cell in notebook.cells if cell.id == cell_id)
    shown = [output.get("text", "") for output in cell.outputs]
    shown += [text for output in cell.outputs for text in output.get("data", {}).values()]
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(shown))


def pictures(notebook: NotebookNode, cell_id: str) -> int:
    """How many pictures a cell shows."""
    cell = next(cell for cell in notebook.cells if cell.id == cell_id)
    return sum("image/png" in output.get("data", {}) for output in cell.outputs)


def test_is_kept_without_outputs() -> None:
    # The images may not be redistributed, and figures belong to the run that measured them
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert not any("attachments" in cell or "data:image" in cell.source for cell in notebook.cells)


def test_tells_the_story_in_nine_sections() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    headings = [cell.source.splitlines()[0] for cell in notebook.cells if cell.source.startswith("## ")]
    assert [heading.split(".")[0] for heading in headings] == [f"## {number}" for number in range(1, 10)]


@pytest.mark.parametrize(
    ("cell_id", "texts"),
    [
        ("data-import", ["train", "41 images, 40 distinct"]),
        ("audit-run", ["byte-copies", "probe"]),
        ("audit-eight-points", ["3. copies\n    byte-copies: ", "4. a conflicting label\n    not found in these data"]),
        ("preprocessing-pictures", ["normal: 128 × 128 pixels, the body in columns"]),
        ("preprocessing-difference", ["n = 13 slices"]),
        ("training-bundled", ["verified", "epochs: accuracy"]),
        ("training-second-data-set", ["malignant", "12 images"]),
        ("training-small", ["Trained and cross-validated in", "After 3 epochs: accuracy"]),
        ("evaluation-run", ["| accuracy without copies |", "| adenocarcinoma | 3 |"]),
        ("evaluation-confusion", ["of 13 slices are answered wrongly"]),
        ("evaluation-confidence", ["expected calibration error", "marked `review`"]),
        ("evaluation-gate", ["drawn: "]),
        ("splits-small", ["grouped cross-validation", "series held out", "baseline: majority class", "iq-oth-nccd"]),
        ("splits-difference", ["Random cross-validation less grouped cross-validation: "]),
        ("splits-external", ["AUROC", "malignant", "no class of this model"]),
        ("explanation-heat-maps", ["of these 8 answers are right"]),
        ("explanation-mistakes", ["wrong answers are shown"]),
        ("explanation-check", ["inside lungs and mediastinum", "| the hottest |"]),
        ("explanation-importance", ["mediastinum", "brightness"]),
        ("robustness-table", ["JPEG quality 30", "The worst is "]),
        ("limits-card", ["not a medical device"]),
        ("limits-figures", ["Of 13 test slices only 12 have no copy", "marked for review"]),
    ],
)
def test_prints_its_figures(executed: NotebookNode, cell_id: str, texts: list[str]) -> None:
    shown = printed(executed, cell_id)
    assert [text for text in texts if text not in shown] == [], shown


def test_shows_the_splits_that_the_bundle_has(executed: NotebookNode) -> None:
    record = json.loads((reference_bundle() / "training.json").read_bytes())
    expected = [row["name"] for row in record.get("split_truth") or ()] or ["This bundle was not cross-validated"]
    shown = printed(executed, "splits-bundled")
    assert [text for text in expected if text not in shown] == [], shown


@pytest.mark.parametrize(
    "cell_id",
    [
        "data-pictures",
        "preprocessing-pictures",
        "training-bundled",
        "training-small",
        "evaluation-confusion",
        "evaluation-confidence",
        "explanation-heat-maps",
        "explanation-regions",
        "explanation-importance",
    ],
)
def test_shows_its_pictures(executed: NotebookNode, cell_id: str) -> None:
    assert pictures(executed, cell_id) >= 1


@pytest.mark.parametrize(
    ("cell_id", "text"),
    [
        ("training-bundled", "This bundle keeps no training history."),
        ("evaluation-confidence", "This bundle makes no prediction sets."),
        ("evaluation-gate", "This bundle has no gate: it classifies any picture."),
        ("splits-bundled", "This bundle was not measured on another data set"),
        ("splits-external", "The bundled model never saw this data set"),
    ],
)
def test_says_what_a_bundle_lacks(executed_with_bare_bundle: NotebookNode, cell_id: str, text: str) -> None:
    assert text in printed(executed_with_bare_bundle, cell_id)


def test_fails_where_a_cell_fails(execute: Callable[..., NotebookNode], tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("raise ValueError('planted')")])
    nbformat.write(notebook, tmp_path / "planted.ipynb")
    with pytest.raises(subprocess.CalledProcessError) as failure:
        execute(tmp_path / "planted.ipynb")
    assert "ValueError" in failure.value.stderr
