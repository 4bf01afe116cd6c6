"""Training runs over HTTP: asked for, refused, listed, watched and cancelled; on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from web_serving import HOSTS, tiny_service

from hilum.services.audit_log import export
from hilum.services.retraining import Retraining
from hilum.storage import models, training_runs
from hilum.storage.database import Database
from hilum.storage.models import Alias, ModelRecord
from hilum.storage.schema import upgrade
from hilum.web.app import create_app
from training_run_samples import DrawnSnapshots, open_retraining, stored_run


@contextmanager
def _serving(bundle: Path, retraining: Retraining | None) -> Iterator[TestClient]:
    app = create_app(tiny_service(bundle), retraining=retraining, allowed_hosts=HOSTS)
    with TestClient(app, base_url="http://localhost") as client:
        yield client


@pytest.fixture
def migrated(database_url: str) -> Iterator[Database]:
    """The database behind the servers of a test."""
    database = Database(database_url)
    upgrade(database)
    yield database
    database.close()


def _url(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


def _run_to(database: Database, run_id: str, status: str, **values: Any) -> None:
    """Does as a worker would, from a queued run to its end."""
    now = datetime.now(UTC)
    with database.writing() as connection:
        taken = training_runs.take(connection, "test", now=now, until=now + timedelta(minutes=1))
        assert taken is not None
        assert str(taken.id) == run_id
        assert training_runs.end(connection, taken.id, "test", status, {"ended_at": now} | values)


def test_a_run_is_queued_shown_and_listed(tiny_bundle: Path, migrated: Database) -> None:
    with _serving(tiny_bundle, open_retraining(_url(migrated))) as client:
        answer = client.post("/retrain", json={"note": "after the new scanner", "epochs": 3})
        assert answer.status_code == 202
        run = answer.json()
        assert answer.headers["location"] == f"/training-runs/{run['id']}"
        expected = {"status": "queued", "mode": "head", "policy": "auto", "note": "after the new scanner"}
        expected |= {"n_images": 11, "parent_version": "tiny-1", "snapshot_digest": "b" * 64}
        assert expected.items() <= run.items()
        assert run["progress"] == 0
        assert client.get(answer.headers["location"]).json() == run
        assert client.get("/training-runs").json() == {"items": [run], "next": None}


def test_nothing_need_be_said(tiny_bundle: Path, migrated: Database) -> None:
    with _serving(tiny_bundle, open_retraining(_url(migrated), policy="approve")) as client:
        run = client.post("/retrain").json()
        assert (run["mode"], run["note"], run["policy"]) == ("head", "", "approve")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"mode": "tail"}, "body.mode"),
        ({"epochs": 0}, "body.epochs"),
        ({"note": "a\u0000b"}, "body.note"),
        ({"policy": "always"}, "body.policy"),
        ({"modell": "x"}, "body.modell"),
        ([], "body"),
    ],
)
def test_a_request_of_another_shape_is_refused(tiny_bundle: Path, tmp_path: Path, body: object, place: str) -> None:
    with _serving(tiny_bundle, open_retraining(f"sqlite:///{tmp_path / 'hilum.db'}")) as client:
        answer = client.post("/retrain", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
    assert answer.json()["detail"].startswith(place)


def test_of_fifty_at_once_one_runs_and_the_others_are_told_which(tiny_bundle: Path, migrated: Database) -> None:
    snapshots = DrawnSnapshots()
    with ExitStack() as servers:
        clients = [
            servers.enter_context(_serving(tiny_bundle, open_retraining(_url(migrated), snapshots))) for _ in range(2)
        ]
        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda number: clients[number % 2].post("/retrain"), range(50)))
        assert sorted(answer.status_code for answer in answers) == [202, *[409] * 49]
        (taken,) = (answer for answer in answers if answer.status_code == 202)
        for answer in answers:
            assert answer.headers["location"] == taken.headers["location"]
            assert answer is taken or answer.json()["code"] == "retrain-in-progress"
        assert len(clients[0].get("/training-runs").json()["items"]) == 1
    assert snapshots.n_frozen <= 2  # one a server


def test_the_next_run_is_taken_once_the_first_has_ended(tiny_bundle: Path, migrated: Database) -> None:
    with _serving(tiny_bundle, open_retraining(_url(migrated))) as client:
        first = client.post("/retrain").json()["id"]
        _run_to(migrated, first, "failed", failure="no luck")
        assert client.post("/retrain").status_code == 202
        newest, oldest = client.get("/training-runs").json()["items"]
        assert (oldest["id"], oldest["status"], oldest["failure"]) == (first, "failed", "no luck")
        assert newest["status"] == "queued"
        page = client.get("/training-runs", params={"limit": 1}).json()
        assert page["items"] == [newest]
        assert client.get("/training-runs", params={"limit": 1, "cursor": page["next"]}).json()["items"] == [oldest]


@pytest.mark.parametrize(
    ("counts", "words"),
    [({"normal": 9}, "'adenocarcinoma' has 0"), ({"adenocarcinoma": 9, "normal": 4}, "'normal' has 4")],
)
def test_too_few_images_are_refused(tiny_bundle: Path, migrated: Database, counts: dict[str, int], words: str) -> None:
    with _serving(tiny_bundle, open_retraining(_url(migrated), DrawnSnapshots(counts))) as client:
        answer = client.post("/retrain")
        assert (answer.status_code, answer.json()["code"]) == (409, "training-data-insufficient")
        assert words in answer.json()["detail"]
        assert client.get("/training-runs").json()["items"] == []


def test_where_nothing_can_be_trained_the_answer_says_why(tiny_bundle: Path, migrated: Database) -> None:
    retraining = open_retraining(_url(migrated), find_trouble=lambda: "the package 'keras' is not installed")
    with _serving(tiny_bundle, retraining) as client:
        answer = client.post("/retrain")
        assert (answer.status_code, answer.json()["code"]) == (503, "training-unavailable")
        assert "keras" in answer.json()["detail"]
    with _serving(tiny_bundle, None) as client:
        assert client.post("/retrain").json()["code"] == "training-unavailable"


def test_a_database_that_is_gone_is_a_problem(tiny_bundle: Path, tmp_path: Path) -> None:
    with _serving(tiny_bundle, open_retraining(f"sqlite:///{tmp_path / 'missing' / 'hilum.db'}")) as client:
        for answer in (client.post("/retrain"), client.get("/training-runs")):
            assert (answer.status_code, answer.json()["code"]) == (503, "runs-unavailable")
            assert answer.headers["retry-after"] == "2"


def test_an_unknown_run_is_not_found(tiny_bundle: Path, migrated: Database) -> None:
    with _serving(tiny_bundle, open_retraining(_url(migrated))) as client:
        for run_id in (str(stored_run().id), "latest"):
            for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/decline")):
                answer = client.request(method, f"/training-runs/{run_id}{path}")
                assert (answer.status_code, answer.json()["code"]) == (404, "run-not-found")


def test_a_queued_run_is_cancelled_at_once_and_an_ended_one_stays(tiny_bundle: Path, migrated: Database) -> None:
    with _serving(tiny_bundle, open_retraining(_url(migrated))) as client:
        run_id = client.post("/retrain").json()["id"]
        cancelled = client.post(f"/training-runs/{run_id}/cancel")
        assert cancelled.status_code == 202
        assert cancelled.json()["status"] == "cancelled"
        second = client.post("/retrain").json()["id"]
        _run_to(migrated, second, "refused")
        assert client.post(f"/training-runs/{second}/cancel").json()["status"] == "refused"


def _registered(version: str) -> ModelRecord:
    return ModelRecord(
        version=version, created_at=datetime.now(UTC), code_version="test", headline=None, parent_version=None,
        run_id=None, snapshot_digest=None, files={}, manifest={}, metrics=None, card=None, report=None,
    )  # fmt: skip


def test_a_run_that_awaits_approval_can_be_declined_once(tiny_bundle: Path, migrated: Database) -> None:
    with _serving(tiny_bundle, open_retraining(_url(migrated), is_audited=True)) as client:
        run_id = client.post("/retrain").json()["id"]
        address = f"/training-runs/{run_id}/decline"
        early = client.post(address)
        assert (early.status_code, early.json()["code"]) == (409, "run-not-awaiting")
        with migrated.writing() as connection:
            for name, version in (("champion", "tiny-1"), ("challenger", "tiny-2")):
                models.add(connection, _registered(version))
                models.point(connection, Alias(name, version, (), datetime.now(UTC), "system"))
        _run_to(migrated, run_id, "awaiting-approval", model_version="tiny-2")
        declined = client.post(address)
        assert declined.status_code == 200
        assert (declined.json()["status"], declined.json()["failure"]) == ("refused", "a person declined it")
        assert client.get(f"/training-runs/{run_id}").json() == declined.json()
        with migrated.reading() as connection:
            assert [alias.name for alias in models.find_aliases(connection)] == ["champion"]
        assert client.post(address).status_code == 409
    assert [(event.kind, event.subject) for event in export(migrated)][-2:] == [("decline", run_id), ("challenger", "")]


def test_the_stream_tells_each_change_and_ends_with_the_run(tiny_bundle: Path, migrated: Database) -> None:
    with _serving(tiny_bundle, open_retraining(_url(migrated))) as client, ThreadPoolExecutor(1) as pool:
        run_id = client.post("/retrain").json()["id"]
        reading = pool.submit(client.get, f"/training-runs/{run_id}/events")
        while not reading.running():
            pass
        _run_to(migrated, run_id, "promoted", model_version="tiny-2")
        stream = reading.result(30)
    assert stream.headers["content-type"].startswith("text/event-stream")
    events = [event.split("\n") for event in stream.text.strip().split("\n\n")]
    assert all(name == "event: run" for name, _ in events)
    runs = [json.loads(data.removeprefix("data: ")) for _, data in events]
    assert (runs[-1]["status"], runs[-1]["model_version"]) == ("promoted", "tiny-2")
    assert [run["status"] for run in runs[:-1]] in ([], ["queued"])
