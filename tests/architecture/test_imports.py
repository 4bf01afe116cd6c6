"""The rules of who may import whom hold, and a breach of each is caught."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINTER = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the contracts of `pyproject.toml` on the package below `folder`."""
    return subprocess.run(
        [LINTER, "--no-cache", "--config", folder / "pyproject.toml"],
        cwd=folder / "src",
        env={"PYTHONPATH": str(folder / "src"), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, str]], subprocess.CompletedProcess[str]]:
    """Adds lines to modules of a copy of the package, lints it and takes them away again."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "static", "*.egg-info"))
    shutil.copy(ROOT / "pyproject.toml", copy)

    def run(lines: dict[str, str]) -> subprocess.CompletedProcess[str]:
        before = {}
        for name, line in lines.items():
            path = copy / "src" / "hilum" / name
            before[path] = path.read_text() if path.exists() else None
            path.write_text((before[path] or "") + f"\n\n{line}\n")
        try:
            return lint(copy)
        finally:
            for path, text in before.items():
                path.unlink() if text is None else path.write_text(text)

    return run


Plant = Callable[[dict[str, str]], "subprocess.CompletedProcess[str]"]


def test_the_package_keeps_every_contract(plant: Plant) -> None:
    result = plant({})
    assert result.returncode == 0, result.stdout
    assert "7 kept, 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("lines", "contract"),
    [
        pytest.param(
            {"web/app.py": "import keras"},
            "serving never reaches Keras, TensorFlow, torch or matplotlib",
            id="keras in the server",
        ),
        pytest.param(
            {"inference/explain.py": "def draw():\n    import matplotlib.pyplot"},
            "serving never reaches Keras, TensorFlow, torch or matplotlib",
            id="matplotlib in a function of inference",
        ),
        pytest.param(
            {"services/model.py": "from hilum.training import trainer"},
            "imports go down only",
            id="a service that trains",
        ),
        pytest.param(
            {"services/prediction.py": "from hilum.settings import Settings"},
            "settings are read by the doors only",
            id="settings read below the doors",
        ),
        pytest.param(
            {"web/routes/health.py": "from hilum.inference.predictor import Predictor"},
            "routes talk to services only",
            id="a route that skips the services",
        ),
        pytest.param(
            {"imaging/decode.py": "from fastapi import UploadFile"},
            "the science knows no web framework, database or workflow engine",
            id="HTTP in imaging",
        ),
        pytest.param(
            {"dataset/manifest.py": "from sqlalchemy import select"},
            "the science knows no web framework, database or workflow engine",
            id="SQL in dataset",
        ),
        pytest.param(
            {"services/prediction.py": "from sqlalchemy import select"},
            "all SQL and all object storage is in storage",
            id="SQL in a service",
        ),
        pytest.param(
            {"web/routes/predictions.py": "from hilum.storage.database import Database"},
            "routes talk to services only",
            id="a route that reads the database",
        ),
        pytest.param(
            {"storage/blobs.py": "from hilum.inference.predictor import Predictor"},
            "imports go down only",
            id="storage that knows models",
        ),
        pytest.param(
            {"imaging/body.py": "from hilum.dataset.manifest import DatasetManifest"},
            "imports go down only",
            id="imaging that knows data sets",
        ),
        pytest.param(
            {"imaging/body.py": "from hilum.imaging.preprocess import preprocess"},
            "no cycles among siblings",
            id="two modules that need each other",
        ),
        pytest.param({"shortcuts.py": "VALUE = 1"}, "imports go down only", id="a new module that has no place"),
        pytest.param({"web/server.py": "from hilum import cli"}, "imports go down only", id="a door into another"),
    ],
)
def test_a_breach_is_caught(plant: Plant, lines: dict[str, str], contract: str) -> None:
    result = plant(lines)
    assert result.returncode != 0
    assert f"{contract} BROKEN" in result.stdout


@pytest.mark.parametrize("module", ["hilum.web.server", "hilum.inference.predictor", "hilum.dataset.importer"])
def test_serving_starts_without_what_only_training_needs(module: str) -> None:
    heavy = ("keras", "tensorflow", "torch", "matplotlib", "sklearn", "scipy", "onnx", "tf2onnx", "kagglehub")
    code = f"import sys, {module}; print(*(name for name in {heavy!r} if name in sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
