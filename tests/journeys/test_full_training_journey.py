"""A full training in the worker is killed between its epochs, goes on from its checkpoint, and has a new class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil

from drawn_dataset import write_dataset
from hilum.inference.bundle import open_bundle
from journey_client import ask, send, tell, wait, zipped
from server_process import RunningServer, running_server
from tiny_training import train_tiny

NAMES = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")
EPOCHS = 40


def _worker(server: RunningServer) -> psutil.Process:
    children = psutil.Process(server.process.pid).children(recursive=True)
    (found,) = (child for child in children if "hilum.worker" in " ".join(child.cmdline()))
    return found


def _run(server: RunningServer, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ask(server, "GET", f"/training-runs/{run_id}")
    return found


def test_a_full_training_survives_a_kill_and_takes_a_new_class_in(tmp_path: Path) -> None:
    known = write_dataset(tmp_path / "known", {"train": dict.fromkeys(NAMES, 7)}, seed=100)
    champion = train_tiny(known, tmp_path / "champion")
    counts = {"train": dict.fromkeys((*NAMES, "hamartoma"), 8), "test": dict.fromkeys((*NAMES, "hamartoma"), 5)}
    root = write_dataset(tmp_path / "more", counts, seed=2000)
    packed = zipped((str(file.relative_to(root)), file) for file in sorted(root.rglob("*.png")))
    with running_server(champion, tmp_path / "log", {"HILUM_PROMOTION": "manual"}) as server:
        wait(lambda: any(model["aliases"] for model in ask(server, "GET", "/models")["items"]))
        assert send(server, "/upload-data", "files", "slices.zip", packed, new_classes="true")["accepted"] > 50
        run_id = tell(server, "POST", "/retrain", mode="full", epochs=EPOCHS)["id"]
        wait(lambda: len(_run(server, run_id)["epochs"]) >= 2)
        _worker(server).kill()
        n_before = len(_run(server, run_id)["epochs"])
        wait(lambda: _run(server, run_id)["ended_at"] is not None)
        run = _run(server, run_id)
        assert run["status"] == "awaiting-approval", run["failure"]
        assert [row["epoch"] for row in run["epochs"]] == list(range(1, len(run["epochs"]) + 1))
        assert len(run["epochs"]) >= n_before
        model = ask(server, "GET", f"/models/{run['model_version']}")
        assert "hamartoma" in model["manifest"]["class_names"]
        assert len(model["manifest"]["class_names"]) == 5
        assert ask(server, "GET", "/health")["model_version"] == open_bundle(champion).manifest.model_version
        assert ask(server, "POST", f"/training-runs/{run_id}/decline")["status"] == "refused"
    log = (tmp_path / "log").read_text()
    assert "the process of a training run died" in log
    assert f"{run_id}, attempt 2" in log
