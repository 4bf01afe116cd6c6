"""A trigger starts a real run by itself, and with policy `auto` the gate alone decides on what it made; over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from drawn_dataset import draw_varied, write_dataset
from hilum.inference.bundle import open_bundle
from journey_client import ask, predict, send, tell, wait, zipped
from server_process import RunningServer, running_server
from tiny_training import train_tiny

NAMES = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")
MIXED_UP = ("squamous_cell_carcinoma", "normal", "large_cell_carcinoma", "adenocarcinoma")


@pytest.fixture(scope="module")
def mistaken_champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that learnt every label wrong."""
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


def test_a_trigger_starts_a_real_run_and_the_gate_decides_on_it(
    server: RunningServer, mistaken_champion: Path, tmp_path: Path
) -> None:
    champion = open_bundle(mistaken_champion).manifest.model_version
    _upload(server, tmp_path / "first", {"train": dict.fromkeys(NAMES, 14), "test": dict.fromkeys(NAMES, 8)}, 4000)
    run = _started_by(server, "after_images", 30)
    assert (run["policy"], run["parent_version"]) == ("auto", champion)
    wait(lambda: ask(server, "GET", f"/training-runs/{run['id']}")["ended_at"] is not None)
    ended = ask(server, "GET", f"/training-runs/{run['id']}")
    is_let_through = ended["report"]["verdict"] == "promote"
    assert ended["status"] == ("promoted" if is_let_through else "refused"), ended["failure"]
    now = ended["model_version"] if is_let_through else champion
    wait(lambda: ask(server, "GET", "/health")["model_version"] == now)
    assert _model(server, now)["aliases"] == ["champion"]


def _png(pixels: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def _let_time_pass(server: RunningServer, folder: Path) -> None:
    """There is something new to learn; since the last run was asked for, seconds have passed."""
    _upload(server, folder, {"train": dict.fromkeys(NAMES, 1)}, 6000)


def _send_other_slices(server: RunningServer, folder: Path) -> None:
    """Slices of a larger matrix than those learnt, as of another scanner, and something new to learn."""
    _upload(server, folder, {"train": dict.fromkeys(NAMES, 1)}, 7000)
    for seed in range(60):
        enlarged = cv2.resize(draw_varied(7100 + seed, seed % 4), (256, 256)).astype(np.uint8)
        predict(server, _png(enlarged))
    assert ask(server, "GET", "/monitoring/drift")["status"] == "drift"


def _correct_answers(server: RunningServer, _: Path) -> None:
    """People correct 15 of 20 answers; the slices they judged are what is new to learn."""
    for seed in range(20):
        answer = predict(server, _png(draw_varied(8000 + seed, seed % 4)))
        others = [name for name in NAMES if name != answer["predicted_class"]]
        said = answer["predicted_class"] if seed >= 15 else others[seed % len(others)]
        tell(server, "POST", f"/predictions/{answer['id']}/feedback", confirmed_class=said)
    wait(lambda: ask(server, "GET", "/automation")["new_images"] > 0)


def _trigger(server: RunningServer, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in ask(server, "GET", "/automation")["triggers"] if one["name"] == name)
    return found


@pytest.mark.parametrize(
    ("trigger", "threshold", "come_about"),
    [
        ("every_hours", 0.0001, _let_time_pass),
        ("drift", 0.25, _send_other_slices),
        ("corrections", 0.5, _correct_answers),
    ],
)
def test_a_trigger_starts_a_run_where_it_may_and_none_where_not(
    server: RunningServer,
    trigger: str,
    threshold: float,
    come_about: Callable[[RunningServer, Path], None],
    tmp_path: Path,
) -> None:
    before = _newest(server)["id"]
    come_about(server, tmp_path / "more")
    tell(server, "PUT", "/automation", **{trigger: threshold}, action="off")
    assert _trigger(server, trigger)["is_due"]
    tell(server, "PUT", "/automation", **{trigger: threshold}, action="suggest")
    wait(lambda: (ask(server, "GET", "/automation")["outcome"] or {}).get("did") == "suggested")
    assert ask(server, "GET", "/automation")["outcome"]["triggers"] == [trigger]
    assert _newest(server)["id"] == before, "a run was started though none should be"

    run = _started_by(server, trigger, threshold)
    wait(lambda: ask(server, "GET", f"/training-runs/{run['id']}")["status"] == "running")
    ask(server, "POST", f"/training-runs/{run['id']}/cancel")
    wait(lambda: ask(server, "GET", f"/training-runs/{run['id']}")["ended_at"] is not None)
    assert not _trigger(server, trigger)["is_due"], "until something is new again"
