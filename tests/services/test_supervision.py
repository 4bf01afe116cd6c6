"""A run that waits gets a process; what becomes of it when that dies, hangs or is to end. On both databases."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hilum.services import supervision
from hilum.services.supervision import MOST_ATTEMPTS, Supervisor
from hilum.storage import training_runs
from hilum.storage.database import Database
from hilum.storage.schema import upgrade
from hilum.storage.training_runs import StoredRun
from training_run_samples import stored_run

_ENDS = """
import sys, uuid
from datetime import UTC, datetime
from hilum.storage import training_runs
from hilum.storage.database import Database
with Database(URL).writing() as connection:
    values = {"ended_at": datetime.now(UTC)}
    assert training_runs.end(connection, uuid.UUID(sys.argv[1]), sys.argv[2], "refused", values)
"""
_DIES = "import os; os.kill(os.getpid(), 9)"
_HANGS = "import os, pathlib, time; pathlib.Path(FILE).write_text(str(os.getpid())); time.sleep(600)"
_WATCHES_ITS_PARENT = (
    "import os, pathlib, threading\n"
    "from hilum.worker.__main__ import end_with_supervisor\n"
    "pathlib.Path(FILE).write_text(str(os.getpid()))\n"
    "end_with_supervisor()"
)


_TELLS_ITS_PLACE = (
    "import os, pathlib, time\n"
    "pathlib.Path(FILE).write_text(f'{os.getsid(0)} {os.getpgid(0)} {os.getpid()}')\n"
    "time.sleep(600)"
)


_TELLS_PROGRESS = """
import pathlib, sys, time
from hilum.services.run_progress import RunProgress
folder = pathlib.Path(FILE).parent / "runs" / sys.argv[1]
folder.mkdir(parents=True)
RunProgress(folder).tell({"stage": "fit", "progress": 0.25, "seconds_left": 9.5, "epochs": [{"epoch": 1, "loss": 0.5}]})
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits as long as in earnest."""
    monkeypatch.setattr(supervision, "LOOK_S", 0.05)
    monkeypatch.setattr(supervision, "_CANCEL_S", 0.3)
    monkeypatch.setattr(supervision, "_RENEW_S", 0.2)


@pytest.fixture
def queued(database_url: str) -> Iterator[Database]:
    """A database with a run that waits."""
    database = Database(database_url)
    upgrade(database)
    with database.writing() as connection:
        training_runs.add(connection, stored_run())
    yield database
    database.close()


def _supervisor(database: Database, script: str, file: Path) -> Supervisor:
    url = database.url.render_as_string(hide_password=False)
    names = f"URL, FILE = {url!r}, {str(file)!r}\n"
    return Supervisor(Database(url), [sys.executable, "-c", names + script], file.parent / "runs")


def _run(database: Database) -> StoredRun:
    with database.reading() as connection:
        found = training_runs.find(connection, stored_run().id)
    assert found is not None
    return found


def _wait(is_so: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends_at
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_run_that_waits_is_taken_and_its_process_ends_it(queued: Database, tmp_path: Path) -> None:
    supervisor = _supervisor(queued, _ENDS, tmp_path / "pid")
    supervisor.start()
    _wait(lambda: _run(queued).status == "refused")
    supervisor.close()
    assert _run(queued).n_attempts == 1


def test_what_the_process_tells_stands_in_the_row(queued: Database, tmp_path: Path) -> None:
    supervisor = _supervisor(queued, _TELLS_PROGRESS, tmp_path / "pid")
    supervisor.start()
    _wait(lambda: _run(queued).stage == "fit")
    supervisor.close()
    run = _run(queued)
    assert (run.progress, run.seconds_left, run.epochs) == (0.25, 9.5, [{"epoch": 1, "loss": 0.5}])


def test_a_process_that_dies_is_replaced_and_in_the_end_the_run_has_failed(queued: Database, tmp_path: Path) -> None:
    supervisor = _supervisor(queued, _DIES, tmp_path / "pid")
    supervisor.start()
    _wait(lambda: _run(queued).status == "failed")
    supervisor.close()
    said = f"its process died {MOST_ATTEMPTS} times, killed from outside: so does a system that runs out of memory"
    assert _run(queued).failure == said


def test_a_process_that_does_not_end_when_asked_is_killed(queued: Database, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    supervisor = _supervisor(queued, _HANGS, file)
    supervisor.start()
    _wait(lambda: file.exists() and bool(file.read_text()))
    with queued.writing() as connection:
        training_runs.request_cancel(connection, stored_run().id, stored_run().created_at)
    _wait(lambda: _run(queued).status == "cancelled")
    assert not _is_alive(int(file.read_text()))
    supervisor.close()


def test_a_supervisor_that_stops_leaves_the_run_to_the_next(queued: Database, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    first = _supervisor(queued, _HANGS, file)
    first.start()
    _wait(lambda: file.exists() and bool(file.read_text()))
    first.close()
    assert not _is_alive(int(file.read_text()))
    left = _run(queued)
    assert (left.status, left.lease_owner, left.n_attempts) == ("running", None, 0)

    second = _supervisor(queued, _ENDS, file)
    second.start()
    _wait(lambda: _run(queued).status == "refused")
    second.close()


def test_of_two_supervisors_one_has_the_run(queued: Database, tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    both = [_supervisor(queued, _HANGS, file) for file in files]
    for supervisor in both:
        supervisor.start()
    _wait(lambda: any(file.exists() for file in files))
    time.sleep(0.5)
    assert [file.exists() for file in files].count(True) == 1
    with queued.reading() as connection:
        assert training_runs.is_any_worker_seen(connection, stored_run().created_at)
    for supervisor in both:
        supervisor.close()
    with queued.reading() as connection:
        assert not training_runs.is_any_worker_seen(connection, stored_run().created_at)


def test_the_process_of_a_run_ends_with_its_supervisor(queued: Database, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    url = queued.url.render_as_string(hide_password=False)
    child = f"FILE = {str(file)!r}\n{_WATCHES_ITS_PARENT}"
    code = (
        "import sys\nfrom pathlib import Path\nfrom hilum.services.supervision import Supervisor\n"
        "from hilum.storage.database import Database\n"
        f"Supervisor(Database({url!r}), [sys.executable, '-c', {child!r}], Path({str(tmp_path)!r})).run()"
    )
    import subprocess

    supervisor = subprocess.Popen([sys.executable, "-c", code])
    _wait(lambda: file.exists() and bool(file.read_text()))
    supervisor.kill()
    supervisor.wait(10)
    _wait(lambda: not _is_alive(int(file.read_text())))


def test_the_process_heeds_its_priority_and_not_the_keyboard(queued: Database, tmp_path: Path) -> None:
    file = tmp_path / "place"
    supervisor = _supervisor(queued, _TELLS_ITS_PLACE, file)
    supervisor.start()
    _wait(lambda: file.exists() and len(file.read_text().split()) == 3)
    supervisor.close()
    session, group, process = map(int, file.read_text().split())
    assert session == os.getsid(0), "Linux heeds priorities within a session (its autogroup)"
    assert group == process, "Ctrl-C goes to the server's process group"
