"""What is under hilum tells nobody that it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_PREDICT = """
import sys
from pathlib import Path
from hilum.inference.predictor import Predictor

print(Predictor.load(Path(sys.argv[1])).predict(Path(sys.argv[2]).read_bytes()).predicted_class)
"""
_SWITCHES = {"CI", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "XDG_DATA_HOME", "TF_BUILD", "GITHUB_ACTIONS"}
"""What ONNX Runtime looks at before it collects anything, or where."""


def test_onnx_runtime_collects_nothing(tiny_bundle: Path, slice_png: bytes, tmp_path: Path) -> None:
    """Builds since 1.29 keep an id of the machine and a file of events at home, and a session among temporary files."""
    home, scratch, picture = tmp_path / "home", tmp_path / "scratch", tmp_path / "slice.png"
    home.mkdir()
    scratch.mkdir()
    picture.write_bytes(slice_png)
    kept = {name: value for name, value in os.environ.items() if name not in _SWITCHES and "PYTEST" not in name}
    done = subprocess.run(
        [sys.executable, "-c", _PREDICT, tiny_bundle, picture],
        env=kept | {"HOME": str(home), "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip()
    assert [file for folder in (home, scratch) for file in folder.rglob("*") if file.is_file()] == []
