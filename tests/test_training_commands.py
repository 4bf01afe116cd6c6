"""`hilum retrain`, `hilum runs` and `hilum worker`, over a state with a champion and drawn slices."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from drawn_dataset import write_dataset
from hilum.cli import main
from hilum.services.registry import open_registry
from hilum.services.state import StatePlaces, prepare
from hilum.storage import training_runs

_NAMES = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")


def hilum(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StatePlaces:
    """An empty state that the commands use."""
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    places = StatePlaces(tmp_path / "home")
    prepare(places)
    return places


@pytest.fixture
def ready(places: StatePlaces, tiny_bundle: Path, tmp_path: Path) -> StatePlaces:
    """A state with a champion and enough labelled slices."""
    with closing(open_registry(places)) as registry:
        registry.put_first(registry.register(tiny_bundle).version)
    counts = {"train": dict.fromkeys(_NAMES, 6), "test": dict.fromkeys(_NAMES, 2)}
    added = hilum("dataset", "add", str(write_dataset(tmp_path / "drawn", counts)), "--no-gate", "--new-classes")
    assert added.exit_code == 0, added.output
    return places


def test_a_run_is_queued_listed_shown_and_cancelled(ready: StatePlaces) -> None:
    asked = hilum("retrain", "--note", "a new scanner", "--policy", "approve")
    assert asked.exit_code == 0, asked.output
    run_id = asked.stdout.split()[0]
    assert "24 images, from tiny-" in asked.stdout

    second = hilum("retrain")
    assert second.exit_code == 6
    assert "under way" in second.stderr

    assert run_id in hilum("runs", "list").stdout
    (row,) = map(json.loads, hilum("runs", "list", "--json").stdout.splitlines())
    assert (row["id"], row["status"], row["policy"], row["note"]) == (run_id, "queued", "approve", "a new scanner")
    assert json.loads(hilum("runs", "show", run_id).stdout) == row
    assert hilum("runs", "cancel", run_id).stdout == f"{run_id} is cancelled\n"
    assert hilum("runs", "show", "nonsense").exit_code == 2


def test_without_a_champion_or_images_nothing_is_queued(places: StatePlaces, tiny_bundle: Path) -> None:
    nobody = hilum("retrain")
    assert nobody.exit_code == 7
    assert "champion" in nobody.stderr
    with closing(open_registry(places)) as registry:
        registry.put_first(registry.register(tiny_bundle).version)
    nothing = hilum("retrain")
    assert nothing.exit_code == 4


def test_without_packages_or_a_worker_the_remedy_is_named(ready: StatePlaces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_WORKER", "false")
    assert "hilum worker" in hilum("retrain").stderr
    monkeypatch.setenv("HILUM_WORKER", "true")
    monkeypatch.setattr("hilum.services.worker_presence._PACKAGES", ("keras", "no_such_package"))
    refused = hilum("retrain")
    assert "no_such_package" in refused.stderr
    assert "make install-train" in refused.stderr
    with closing(ready.open_database()) as database, database.writing() as connection:
        from datetime import UTC, datetime

        now = datetime.now(UTC)
        training_runs.see_worker(connection, "elsewhere", now, forget_before=now)
    assert hilum("retrain").exit_code == 0


def test_a_worker_says_that_it_is_there_and_takes_what_waits(ready: StatePlaces) -> None:
    run_id = hilum("retrain").stdout.split()[0]
    worker = subprocess.Popen([sys.executable, "-c", "from hilum.cli import main; main(['worker'])"], env=os.environ)
    try:
        ends_at = time.monotonic() + 300
        while (row := json.loads(hilum("runs", "show", run_id).stdout))["status"] in {"queued", "running"}:
            assert time.monotonic() < ends_at
            time.sleep(0.3)
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    assert row["status"] == "failed"  # the champion is a drawn graph, without Keras's
    assert "model.keras" in row["failure"]
