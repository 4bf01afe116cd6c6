"""A run's workflow goes on after `kill -9` at any point and is done once; with steps that do next to nothing."""

from __future__ import annotations

import os
import random
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from hilum.services import supervision
from hilum.services.run_rules import RunStatus
from hilum.services.supervision import MOST_ATTEMPTS, Supervisor
from hilum.storage import training_runs
from hilum.storage.database import Database
from hilum.storage.schema import upgrade
from hilum.storage.training_runs import StoredRun
from training_run_samples import stored_run

_KILLS = 16
"""On each of the two databases."""

_CHILD = """
import os, resource, sys, time, uuid
from dataclasses import dataclass
from pathlib import Path
from hilum.errors import TrainingFailed
from hilum.services.run_rules import RunStatus
from hilum.services.state import StatePlaces
from hilum.worker.execution import execute

@dataclass
class Light:
    run: object
    ledger: object
    folder: Path

    def _do(self, name):
        with (HOME / f"{self.run.id}.done").open("a") as done:
            print("begin", name, file=done, flush=True)
            time.sleep(0.2)
            self.ledger.report(name, 1.0)
            print("end", name, file=done, flush=True)

    def lay_out(self): self._do("snapshot")
    def train(self):
        self._do("fit")
        if self.run.note == "fails":
            raise TrainingFailed("the slices are all alike")
        if self.run.note == "breaks":
            raise ZeroDivisionError
        if self.run.note == "grows":
            most = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (8 << 30, most[1]))
            try:
                bytearray(16 << 30)
            finally:
                resource.setrlimit(resource.RLIMIT_AS, most)
    def compare(self):
        self._do("compare")
        return {"verdict": "promote"}
    def register(self, report):
        self._do("register")
        return "tiny-2"
    def decide(self, version, report):
        self._do("decide")
        self.ledger.end(RunStatus.PROMOTED, model_version=version, report=report)
        return "promoted"
    def tidy(self): (HOME / f"{self.run.id}.tidy").touch()

HOME = Path(os.environ["HILUM_HOME"])
places = StatePlaces(HOME, os.environ["HILUM_DATABASE_URL"])
execute(places.open_database(), places, uuid.UUID(sys.argv[-2]), sys.argv[-1], Light)
os._exit(0)
"""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the newest tables."""
    database = Database(database_url)
    upgrade(database)
    yield database
    database.close()


@pytest.fixture
def supervisor(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """Takes runs and does their light steps."""
    monkeypatch.setattr(supervision, "LOOK_S", 0.05)
    url = database.url.render_as_string(hide_password=False)
    environment = {"HILUM_HOME": str(tmp_path), "HILUM_DATABASE_URL": url}
    made = Supervisor(Database(url), [sys.executable, "-c", _CHILD], tmp_path / "training", environment=environment)
    made.start()
    with closing(made):
        yield made


def _queue(database: Database, note: str = "") -> uuid.UUID:
    run = stored_run(id=uuid.uuid4(), note=note)
    with database.writing() as connection:
        assert training_runs.add(connection, run)
    return run.id


def _find(database: Database, run_id: uuid.UUID) -> StoredRun:
    with database.reading() as connection:
        found = training_runs.find(connection, run_id)
    assert found is not None
    return found


def _is_active(database: Database, run_id: uuid.UUID) -> bool:
    return RunStatus(_find(database, run_id).status).is_active


def _wait_for_end(database: Database, run_id: uuid.UUID) -> StoredRun:
    ends_at = time.monotonic() + 300
    while _is_active(database, run_id):
        assert time.monotonic() < ends_at
        time.sleep(0.05)
    return _find(database, run_id)


def _steps_of(tmp_path: Path, run_id: uuid.UUID) -> list[str]:
    return (tmp_path / f"{run_id}.done").read_text().splitlines()


@pytest.mark.usefixtures("supervisor")
def test_a_run_does_its_steps_once_in_their_order(database: Database, tmp_path: Path) -> None:
    run_id = _queue(database)
    run = _wait_for_end(database, run_id)
    assert (run.status, run.model_version, run.report, run.progress) == (
        "promoted",
        "tiny-2",
        {"verdict": "promote"},
        1,
    )
    names = ("snapshot", "fit", "compare", "register", "decide")
    assert _steps_of(tmp_path, run_id) == [f"{word} {name}" for name in names for word in ("begin", "end")]


@pytest.mark.usefixtures("supervisor")
@pytest.mark.parametrize(
    ("note", "words"),
    [("fails", "the slices are all alike"), ("breaks", "ZeroDivisionError"), ("grows", "out of memory")],
)
def test_a_step_that_fails_ends_the_run_with_the_reason(database: Database, note: str, words: str) -> None:
    run = _wait_for_end(database, _queue(database, note))
    assert run.status == "failed"
    assert words in str(run.failure)
    assert _wait_for_end(database, _queue(database)).status == "promoted"


@pytest.mark.usefixtures("supervisor")
def test_a_run_that_is_to_end_ends_between_two_steps(database: Database, tmp_path: Path) -> None:
    run_id = _queue(database)
    while not (tmp_path / f"{run_id}.done").exists():
        time.sleep(0.02)
    with database.writing() as connection:
        training_runs.request_cancel(connection, run_id, stored_run().created_at)
    assert _wait_for_end(database, run_id).status == "cancelled"
    assert "end decide" not in _steps_of(tmp_path, run_id)


@pytest.mark.usefixtures("supervisor")
def test_runs_survive_being_killed_at_any_point(database: Database, tmp_path: Path) -> None:
    chance = random.Random(7)
    kills = resumed = 0
    while kills < _KILLS:
        run_id = _queue(database)
        while _is_active(database, run_id) and kills < _KILLS:
            time.sleep(chance.uniform(0.2, 3.0))
            for child in psutil.Process(os.getpid()).children():
                if str(run_id) in " ".join(child.cmdline()):
                    child.kill()
                    kills += 1
        run = _wait_for_end(database, run_id)
        if run.status == "failed":
            assert f"died {MOST_ATTEMPTS} times" in str(run.failure)
            continue
        assert run.status == "promoted"
        steps = _steps_of(tmp_path, run_id)
        ends = [line for line in steps if line.startswith("end")]
        assert list(dict.fromkeys(ends)) == [f"end {n}" for n in ("snapshot", "fit", "compare", "register", "decide")]
        resumed += run.n_attempts > 1
    assert resumed
