"""The registry over HTTP: what is listed, who may promote, and that the answer changes and changes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from web_serving import HOSTS, serving, tiny_service

from hilum.services import deployment as deployment_module
from hilum.services.access import Access
from hilum.services.audit_log import AuditLog, export
from hilum.services.keys import Role, create_key
from hilum.storage.database import Database
from hilum.web.app import create_app
from registered_models import RegisteredModels, registered_models, write_bundles


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three bundles that answer differently."""
    return write_bundles(tmp_path_factory.mktemp("bundles"))


@dataclass
class Servers:
    """Servers that share a registry."""

    models: RegisteredModels
    stack: ExitStack = field(default_factory=ExitStack)

    def serve(self, name: str = "server", *, access: Access | None = None) -> TestClient:
        """A client of one more server."""
        deployment = self.models.deployment(name)
        app = create_app(deployment.service, deployment=deployment, access=access, allowed_hosts=HOSTS)
        client = self.stack.enter_context(TestClient(app, base_url="http://localhost"))
        assert deployment.service.loaded.wait(10)
        return client


@pytest.fixture
def servers(
    database_url: str, tmp_path: Path, bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Servers]:
    """Three models without a champion, on each kind of database in turn."""
    monkeypatch.setattr(deployment_module, "LOOK_S", 0.05)
    with registered_models(database_url, tmp_path, bundles) as models:
        for folder in bundles.values():
            models.registry.register(folder)
        made = Servers(models)
        with made.stack:
            yield made


def answered_by(client: TestClient, slice_png: bytes, version: str) -> dict[str, float]:
    """The probabilities of the first answer that `version` gives, within seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        answer = client.post("/predict", files={"file": ("slice.png", slice_png)}).json()
        if answer["model_version"] == version:
            probabilities: dict[str, float] = answer["probabilities"]
            return probabilities
        time.sleep(0.02)
    raise AssertionError(f"{version} does not answer")


def test_a_promotion_changes_the_answer_on_every_server_and_a_rollback_changes_it_back(
    servers: Servers, slice_png: bytes
) -> None:
    one, two = servers.serve("one"), servers.serve("two")
    before = answered_by(two, slice_png, "tiny-a")

    promoted = one.post("/models/tiny-b/promote")

    assert promoted.status_code == 200
    assert promoted.json()["aliases"] == ["champion"]
    assert answered_by(two, slice_png, "tiny-b") != before
    listed = two.get("/models").json()
    assert {item["version"]: item["is_served"] for item in listed["items"]} == {
        "tiny-a": False, "tiny-b": True, "tiny-c": False,
    }  # fmt: skip
    assert listed["rollback_to"] == "tiny-a"
    assert listed["shadow"] is None
    assert two.get("/health").json()["model_version"] == "tiny-b"
    back = two.post("/models/rollback")
    assert (back.status_code, back.json()["version"]) == (200, "tiny-a")
    assert answered_by(one, slice_png, "tiny-a") == before
    assert answered_by(two, slice_png, "tiny-a") == before
    refused = one.post("/models/rollback")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing-to-roll-back-to")


def test_a_model_is_shown_with_its_documents(servers: Servers) -> None:
    client = servers.serve()
    shown = client.get("/models/tiny-b").json()

    assert (shown["version"], shown["aliases"], shown["is_served"]) == ("tiny-b", [], False)
    assert shown["manifest"]["model_version"] == "tiny-b"
    assert shown["metrics"]["n"] == shown["headline"]["n"] == 315
    assert shown["headline"]["accuracy"] == {"value": 0.91, "low": 0.88, "high": 0.94, "n": 315}
    assert set(shown["files"]) == {"manifest.json", "model.onnx", "metrics.json"}
    assert shown["card"] is shown["report"] is shown["run_id"] is None


@pytest.mark.parametrize(
    "version", ["..%2f..%2fx", "%2e%2e%2f", "..%5cx", "a" * 4096, "tiny-%C2%B2", "%00", "tiny-a%0a", "none", "rollback"]
)
def test_a_version_that_is_none_is_not_found(servers: Servers, version: str) -> None:
    client = servers.serve()
    for answer in (client.get(f"/models/{version}"), client.post(f"/models/{version}/promote")):
        assert answer.status_code == 404
        assert answer.json()["code"] in {"model-not-found", "not-found"}


def test_a_promotion_may_expect_a_champion(servers: Servers, slice_png: bytes) -> None:
    client = servers.serve()
    answered_by(client, slice_png, "tiny-a")
    assert client.post("/models/tiny-b/promote", json={}).status_code == 200
    moved = client.post("/models/tiny-c/promote", json={"expected_champion": "tiny-a"})
    assert (moved.status_code, moved.json()["code"]) == (409, "champion-moved")
    assert client.post("/models/tiny-c/promote", json={"expected_champion": "tiny-b"}).status_code == 200
    for body in ('{"expected_champion": 1}', '{"force": true}', "[]", "{"):
        answer = client.post("/models/tiny-a/promote", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")


def test_a_model_that_cannot_be_loaded_is_not_promoted(servers: Servers, slice_png: bytes) -> None:
    client = servers.serve()
    answered_by(client, slice_png, "tiny-a")
    graph = servers.models.blob(servers.models.registry.get("tiny-b").files["model.onnx"])
    graph.write_bytes(graph.read_bytes()[:20])

    refused = client.post("/models/tiny-b/promote")

    assert (refused.status_code, refused.json()["code"]) == (503, "model-unavailable")
    assert client.get("/health").json()["status"] == "ok"
    servers.models.registry.promote("tiny-b", actor="cli")
    until = time.monotonic() + 5
    while (health := client.get("/health").json())["status"] == "ok" and time.monotonic() < until:
        time.sleep(0.02)
    assert health["degraded_reasons"][0].startswith("tiny-b cannot be served: ")
    assert client.get("/health/ready").status_code == 200
    assert "champion_served 0.0" in client.get("/metrics", headers={"accept": "text/plain"}).text
    assert answered_by(client, slice_png, "tiny-a")


def test_only_administrators_promote(servers: Servers) -> None:
    database = Database(servers.models.url)
    access = Access(Database(servers.models.url), audit=AuditLog(Database(servers.models.url)))
    client = servers.serve(access=access)
    keys = {role: create_key(database, "test", role) for role in Role}

    def status(method: str, path: str, role: Role) -> int:
        headers = {"authorization": f"Bearer {keys[role].token}"}
        return client.request(method, path, headers=headers).status_code

    assert client.get("/models").status_code == 401
    for path in ("/models", "/models/tiny-a"):
        assert status("GET", path, Role.PREDICT) == 200
    for path in ("/models/tiny-b/promote", "/models/rollback"):
        assert status("POST", path, Role.ANNOTATE) == 403
    assert status("POST", "/models/tiny-b/promote", Role.ADMINISTER) == 200
    by = keys[Role.ADMINISTER].stored.prefix
    assert ("promote", by, "tiny-b") in [(event.kind, event.actor, event.subject) for event in export(database)]
    database.close()


def test_a_server_without_state_knows_no_registry(tiny_bundle: Path) -> None:
    with serving(tiny_service(tiny_bundle)) as client:
        for answer in (client.get("/models"), client.get("/models/tiny-a"), client.post("/models/rollback")):
            assert (answer.status_code, answer.json()["code"]) == (404, "registry-off")


def test_a_registry_out_of_reach_is_said(tmp_path: Path, bundles: dict[str, Path], slice_png: bytes) -> None:
    models = RegisteredModels("postgresql://nobody:x@127.0.0.1:1/none", tmp_path, bundles)
    deployment = models.deployment()
    app = create_app(deployment.service, deployment=deployment, allowed_hosts=HOSTS)
    with TestClient(app, base_url="http://localhost") as client:
        deployment.service.loaded.wait(10)
        for answer in (client.get("/models"), client.post("/models/tiny-b/promote"), client.post("/models/rollback")):
            assert (answer.status_code, answer.json()["code"]) == (503, "registry-unavailable")
            assert answer.headers["retry-after"] == "2"
        assert answered_by(client, slice_png, "tiny-a")
        assert "the registry cannot be reached" in client.get("/health").json()["degraded_reasons"][0]
