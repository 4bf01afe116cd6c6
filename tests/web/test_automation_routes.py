"""Automatic retraining over HTTP: set by administrators, seen by everyone, refused where it makes no sense."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from web_serving import HOSTS, serving, tiny_service

from hilum.services.access import Access
from hilum.services.automation import Automation, Signals
from hilum.services.keys import Role, create_key
from hilum.storage.database import Database
from hilum.storage.schema import upgrade
from hilum.web.app import create_app

OFF = {"after_images": None, "every_hours": None, "drift": None, "corrections": None, "action": "off"}


@pytest.fixture
def automation(database_url: str) -> Automation:
    """An automation that sees 7 new images, on each kind of database in turn."""
    database = Database(database_url)
    upgrade(database)
    database.close()
    return Automation(Database(database_url), Signals(lambda: 7, lambda: 0.5), lambda _: "run-1")


@pytest.fixture
def client(automation: Automation, tiny_bundle: Path) -> Iterator[TestClient]:
    """A client of an open server."""
    app = create_app(tiny_service(tiny_bundle), automation=automation, allowed_hosts=HOSTS)
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def test_what_is_set_is_shown_with_what_the_triggers_say(client: TestClient, automation: Automation) -> None:
    before = client.get("/automation").json()
    assert {name: before[name] for name in OFF} == OFF
    assert (before["new_images"], before["outcome"]) == (7, None)
    wanted = {"after_images": 5.0, "every_hours": 168, "drift": 0.6, "corrections": 0.2, "action": "run"}

    answer = client.put("/automation", json=wanted)

    assert answer.status_code == 200
    shown = client.get("/automation").json()
    assert {name: shown[name] for name in wanted} == wanted
    assert {one["name"]: (one["value"], one["threshold"], one["is_due"]) for one in shown["triggers"]} == {
        "after_images": (7, 5, True), "every_hours": (pytest.approx(0, abs=0.1), 168, False),
        "drift": (0.5, 0.6, False), "corrections": (None, 0.2, False),
    }  # fmt: skip
    automation.look()
    assert client.get("/automation").json()["outcome"]["run_id"] == "run-1"
    assert client.put("/automation", json={}).json()["action"] == "off"


@pytest.mark.parametrize(
    "body",
    [
        {"after_images": 0}, {"after_images": 1.5}, {"after_images": True}, {"after_images": "5"}, {"every_hours": 0},
        {"every_hours": "5"}, {"drift": -1}, {"corrections": 1.1}, {"action": "maybe"},
        {"mode": "full"}, [], "run", {"after_images": 10**400},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(client: TestClient, body: Any) -> None:
    answer = client.put("/automation", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
    assert client.get("/automation").json()["action"] == "off"


def test_nan_is_refused(client: TestClient) -> None:
    answer = client.put("/automation", content='{"drift": NaN}', headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_only_administrators_change_it(automation: Automation, database_url: str, tiny_bundle: Path) -> None:
    database = Database(database_url)
    keys = {role: create_key(database, "test", role).token for role in Role}
    database.close()
    access = Access(Database(database_url))
    app = create_app(tiny_service(tiny_bundle), automation=automation, access=access, allowed_hosts=HOSTS)
    with TestClient(app, base_url="http://localhost") as client:
        for role, status in ((Role.PREDICT, 403), (Role.ANNOTATE, 403), (Role.ADMINISTER, 200)):
            headers = {"authorization": f"Bearer {keys[role]}"}
            assert client.put("/automation", json={}, headers=headers).status_code == status
            assert client.get("/automation", headers=headers).status_code == 200
        assert client.get("/automation").status_code == 401


def test_a_server_without_state_is_not_automated(tiny_bundle: Path) -> None:
    with serving(tiny_service(tiny_bundle)) as client:
        for answer in (client.get("/automation"), client.put("/automation", json={})):
            assert (answer.status_code, answer.json()["code"]) == (503, "training-unavailable")


def test_a_database_that_does_not_answer_is_said(tiny_bundle: Path) -> None:
    down = Automation(Database("postgresql://nobody:x@127.0.0.1:1/none"), Signals(lambda: 0), lambda _: "run-1")
    app = create_app(tiny_service(tiny_bundle), automation=down, allowed_hosts=HOSTS)
    with TestClient(app, base_url="http://localhost") as client:
        for answer in (client.get("/automation"), client.put("/automation", json={})):
            assert (answer.status_code, answer.json()["code"]) == (503, "runs-unavailable")
            assert answer.headers["retry-after"] == "2"


def test_pages_of_allowed_origins_may_use_every_method(tiny_bundle: Path) -> None:
    origin = "https://viewer.example"
    app = create_app(tiny_service(tiny_bundle), allowed_hosts=HOSTS, allowed_origins=frozenset({origin}))
    with TestClient(app, base_url="http://localhost") as client:
        for method, path in (("PUT", "/automation"), ("DELETE", "/dataset/images/1"), ("POST", "/predict")):
            headers = {"origin": origin, "access-control-request-method": method}
            asked = client.options(path, headers=headers)
            assert asked.status_code == 200
            assert method in asked.headers["access-control-allow-methods"]
