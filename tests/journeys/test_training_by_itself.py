"""Each trigger starts a real run by itself, and policy `auto` promotes what the gate lets through; over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from drawn_dataset import draw_varied, write_dataset
from hilum.inference.bundle import open_bundle
from journey_client import ask, predict, send, tell, wait, zipped
from server_process import RunningServer, running_server
from tiny_training import train_tiny

NAMES = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")
MIXED_UP = ("squamous_cell_carcinoma", "normal", "large_cell_carcinoma", "adenocarcinoma")


@pytest.fixture(scope="module")
def mistaken_champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that learnt every label wrong, so that any run makes a better one."""
    folder = tmp_path_factory.mktemp("mistaken")
    right = write_dataset(folder / "right", {"train": dict.fromkeys(NAMES, 12)}, seed=3000)
    for name, wrong in zip(NAMES, MIXED_UP, strict=True):
        (right / "train" / name).rename(right / "train" / f"is-{wrong}")
    for wrong in MIXED_UP:
        (right / "train" / f"is-{wrong}").rename(right / "train" / wrong)
    return train_tiny(right, folder / "champion", epochs=12)


@pytest.fixture(scope="module")
def server(mistaken_champion: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server on which what the gate lets through is promoted."""
    log = tmp_path_factory.mktemp("server") / "log"
    with running_server(mistaken_champion, log, {"HILUM_PROMOTION": "auto"}) as running:
        version = open_bundle(mistaken_champion).manifest.model_version
        wait(lambda: "champion" in _model(running, version).get("aliases", ()))
        yield running


def _model(server: RunningServer, version: str) -> dict[str, Any]:
    models = ask(server, "GET", "/models")["items"]
    return next((model for model in models if model["version"] == version), {})


def _upload(server: RunningServer, folder: Path, counts: dict[str, dict[str, int]], seed: int) -> None:
    root = write_dataset(folder, counts, seed=seed)
    files = sorted(root.rglob("*.png"))
    packed = zipped((f"{file.relative_to(root)}", file) for file in files)
    report = send(server, "/upload-data", "files", "slices.zip", packed)
    assert report["accepted"] >= 0.8 * len(files), report


def _newest(server: RunningServer) -> dict[str, Any]:
    items = ask(server, "GET", "/training-runs?limit=1")["items"]
    found: dict[str, Any] = items[0] if items else {"id": None, "note": "", "status": ""}
    return found


def _started_by(server: RunningServer, trigger: str, threshold: float) -> dict[str, Any]:
    """Sets one trigger and waits for the run that it starts."""
    before = _newest(server)["id"]
    tell(server, "PUT", "/automation", **{trigger: threshold}, action="run")
    wait(lambda: _newest(server)["id"] != before)
    run = _newest(server)
    assert run["note"] == f"automatic: {trigger}"
    assert ask(server, "GET", "/automation")["outcome"]["run_id"] == run["id"]
    tell(server, "PUT", "/automation", action="off")
    return run


def _cancel(server: RunningServer, run_id: str) -> None:
    ask(server, "POST", f"/training-runs/{run_id}/cancel")
    wait(lambda: ask(server, "GET", f"/training-runs/{run_id}")["status"] == "cancelled")


def test_each_trigger_starts_a_run_and_a_better_model_is_promoted(
    server: RunningServer, mistaken_champion: Path, tmp_path: Path
) -> None:
    champion = open_bundle(mistaken_champion).manifest.model_version
    _upload(server, tmp_path / "first", {"train": dict.fromkeys(NAMES, 14), "test": dict.fromkeys(NAMES, 8)}, 4000)
    run = _started_by(server, "after_images", 30)
    assert (run["policy"], run["parent_version"]) == ("auto", champion)
    wait(lambda: ask(server, "GET", f"/training-runs/{run['id']}")["ended_at"] is not None)
    ended = ask(server, "GET", f"/training-runs/{run['id']}")
    assert ended["status"] == "promoted", (ended["failure"], ended["report"])
    wait(lambda: ask(server, "GET", "/health")["model_version"] == ended["model_version"])
    model = _model(server, ended["model_version"])
    assert (model["aliases"], model["parent_version"], model["run_id"]) == (["champion"], champion, run["id"])
    assert {"image_id", "true_class", "champion_class", "challenger_class"} <= ended["report"]["flipped"][0].keys()
    shown = ask(server, "GET", "/dataset/images?split=test&limit=200")["items"]
    assert {one["image_id"] for one in ended["report"]["flipped"]} <= {image["id"] for image in shown}

    _upload(server, tmp_path / "second", {"train": dict.fromkeys(NAMES, 2)}, 5000)
    _cancel(server, _started_by(server, "every_hours", 1e-6)["id"])

    for number in range(52):
        dark = (draw_varied(6000 + number, number % 4) * 0.4 + 20).astype(np.uint8)
        answer = predict(server, cv2.imencode(".png", dark)[1].tobytes())
        wrong = next(name for name in NAMES if name != answer["predicted_class"])
        tell(server, "POST", f"/predictions/{answer['id']}/feedback", confirmed_class=wrong)
    ask(server, "GET", "/monitoring/drift")
    _cancel(server, _started_by(server, "corrections", 0.9)["id"])
    _upload(server, tmp_path / "third", {"train": dict.fromkeys(NAMES, 2)}, 7000)
    _cancel(server, _started_by(server, "drift", 0.2)["id"])
