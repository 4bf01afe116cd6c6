"""The same table through `POST /predict`: a problem document each, nothing leaked or left, the next answer right."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hostile_cases import HOSTILE_CASES, Case
from refusal_counts import refusal_counts

import raster_files as img
from hilum.services.history import History
from hilum.services.model import load_model
from hilum.services.prediction import PredictionService
from hilum.services.workers import Workers
from hilum.storage.blobs import folder_url, open_blobs
from hilum.storage.database import Database
from hilum.storage.schema import upgrade
from hilum.web.app import create_app

_MAX_PROBLEM_BYTES = 4096
_LEAKS = ("Traceback", 'File "', ".py", "site-packages", "/tmp", "/home", "<script", "passwd")


@dataclass(frozen=True)
class Left:
    """What requests have left behind: rows, events of the audit log, and files but the database's own."""

    rows: int
    events: int
    files: frozenset[Path]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the state, and a folder for whatever is written for a moment only."""
    home = tmp_path_factory.mktemp("hostile")
    (home / "scratch").mkdir()
    return home


@pytest.fixture(scope="module")
def client(tiny_bundle: Path, home: Path) -> Iterator[TestClient]:
    """A client of an app that keeps what it answers; a server error is an answer here, not an exception."""
    service = PredictionService(lambda: load_model(tiny_bundle), workers=Workers(threads=1))
    database = Database(f"sqlite:///{home / 'hilum.db'}")
    upgrade(database)
    history = History(database, open_blobs(folder_url(home / "blobs"), "slices"), is_audited=True)
    app = create_app(service, history=history)
    with (
        pytest.MonkeyPatch.context() as patch,
        TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client,
    ):
        patch.setattr("tempfile.tempdir", str(home / "scratch"))
        for _ in range(200):
            if not service.degraded_reasons:
                break
            time.sleep(0.05)
        yield client


def left_in(home: Path) -> Left:
    """What is there now."""
    with closing(sqlite3.connect(home / "hilum.db")) as database:
        rows, events = (
            database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("predictions", "audit_events")
        )
    files = (file for file in home.rglob("*") if file.is_file() and not file.name.startswith("hilum.db"))
    return Left(rows, events, frozenset(files))


@pytest.fixture(scope="module")
def golden(client: TestClient) -> dict[str, float]:
    """What the plain slice gets before anything hostile was sent."""
    return _ask(client, img.png(), "slice.png")


def _ask(client: TestClient, data: bytes, filename: str) -> dict[str, float]:
    response = client.post("/predict", files={"file": (filename, data)})
    assert response.status_code == 200, response.text
    probabilities: dict[str, float] = response.json()["probabilities"]
    return probabilities


@pytest.mark.parametrize("case", HOSTILE_CASES, ids=str)
def test_gets_its_answer(client: TestClient, home: Path, golden: dict[str, float], case: Case) -> None:
    data = case.make()
    before, counted = left_in(home), refusal_counts(client)
    started_at = time.perf_counter()
    response = client.post("/predict", files={"file": (case.filename, data)})
    took_s = time.perf_counter() - started_at

    assert response.status_code == case.status, response.text
    assert len(response.content) <= _MAX_PROBLEM_BYTES
    assert not [leak for leak in _LEAKS if leak in response.text]
    assert took_s < 5
    if case.code is None:
        assert set(case.warnings) <= set(response.json()["warnings"])
        after = left_in(home)
        assert (after.rows, after.events) == (before.rows + 1, before.events + 1)
        assert len(after.files - before.files) <= 1  # the copy of its pixels, unless they are kept already
    else:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["code"] == case.code
        assert response.json()["type"] == f"/problems/{case.code}"
        assert left_in(home) == before
        assert refusal_counts(client) == counted | {case.code: counted.get(case.code, 0) + 1}
    assert _ask(client, img.png(), "slice.png") == pytest.approx(golden, abs=1e-6)


@pytest.mark.parametrize("case", [case for case in HOSTILE_CASES if case.twin and case.tolerance <= 1e-3], ids=str)
def test_twin_gets_the_same_prediction(client: TestClient, case: Case) -> None:
    assert case.twin is not None
    expected = _ask(client, case.twin(), case.filename)

    # Resizing rounds 8-bit slices and not 16-bit ones.
    within = 1e-3 if case.id == "H17" or "16" in case.name else 1e-6
    assert _ask(client, case.make(), case.filename) == pytest.approx(expected, abs=within)
