"""Every operation that changes something is guarded, limited and written down; over all routes, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from web_serving import HOSTS, open_history

from hilum.services.access import Access, AccessRules
from hilum.services.audit_log import AuditLog, export, verify
from hilum.services.dataset_desk import DatasetDesk
from hilum.services.datasets import Datasets
from hilum.services.keys import Role, create_key
from hilum.services.state import LABELLED
from hilum.storage.blobs import folder_url, open_blobs
from hilum.storage.database import Database
from hilum.web.access_table import ACCESS, PUBLIC
from hilum.web.app import create_app
from labelled_samples import drawn_png
from registered_models import registered_models, write_bundles
from training_run_samples import open_retraining

_SAFE = {"GET", "HEAD"}


@dataclass
class Whole:
    """A server with all of its parts, and the database behind it."""

    client: TestClient
    database: Database

    def key(self, role: Role) -> tuple[str, dict[str, str]]:
        """The public part of a new key, and the header that carries it."""
        token = create_key(self.database, "test", role).token
        return token[6:14], {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three bundles that answer differently."""
    return write_bundles(tmp_path_factory.mktemp("audited"))


@pytest.fixture
def serve(database_url: str, tmp_path: Path, bundles: dict[str, Path]) -> Iterator[object]:
    """Starts a whole server with rules of access."""
    with ExitStack() as stack:
        models = stack.enter_context(registered_models(database_url, tmp_path, bundles))
        for folder in bundles.values():
            models.registry.register(folder)

        def start(rules: AccessRules | None = None) -> Whole:
            audit = AuditLog(Database(database_url))
            deployment = models.deployment()
            blobs = open_blobs(folder_url(tmp_path / "blobs"), LABELLED)
            app = create_app(
                deployment.service,
                history=open_history(database_url, tmp_path / "blobs", is_audited=True),
                access=Access(Database(database_url), rules, audit=audit),
                audit=audit,
                deployment=deployment,
                datasets=DatasetDesk(Datasets(Database(database_url), blobs, is_audited=True)),
                retraining=open_retraining(database_url, is_audited=True),
                allowed_hosts=HOSTS,
            )
            client = stack.enter_context(TestClient(app, base_url="http://localhost", follow_redirects=False))
            assert deployment.service.loaded.wait(20)
            database = Database(database_url)
            stack.callback(database.close)
            return Whole(client, database)

        yield start


def _address(path: str) -> str:
    return path.replace("{", "").replace("}", "") + ("/css/base.css" if path == "/static" else "")


def test_who_did_what_is_in_one_chain(serve: object, slice_png: bytes) -> None:
    assert callable(serve)
    whole: Whole = serve()
    client = whole.client
    (predicts, predict), (annotates, annotate), (administers, administer) = (whole.key(role) for role in Role)
    answer = client.post("/predict", files={"file": ("JANE-DOE.png", slice_png)}, headers=predict).json()
    sent = client.post(
        "/upload-data", files={"files": ("JANE-DOE.png", drawn_png(1))}, data={"label": "normal"}, headers=annotate
    ).json()
    image_id = sent["items"][0]["image_id"]
    assert client.delete(f"/dataset/images/{image_id}", headers=annotate).status_code == 204
    assert client.post("/retrain", headers=predict).status_code == 403
    run = client.post("/retrain", json={}, headers=administer).json()
    assert client.post("/models/tiny-b/promote", headers=annotate).status_code == 403
    assert client.post("/models/tiny-b/promote", headers=administer).status_code == 200
    assert client.post("/models/rollback", headers=administer).status_code == 200
    assert client.get("/limits", headers={"authorization": "Bearer hilum_0123abcd_" + "A" * 43}).status_code == 401
    assert client.post("/sessions", json={"key": "JANE-DOE"}).status_code == 401

    events = [(event.kind, event.actor, event.subject) for event in export(whole.database)]
    first = events.index(("predict", predicts, answer["id"]))
    assert events[first:] == [
        ("predict", predicts, answer["id"]),
        ("upload", annotates, sent["batch_id"]),
        ("image-deleted", annotates, image_id),
        ("key-refused", predicts, "/retrain"),
        ("retrain", administers, run["id"]),
        ("key-refused", annotates, "/models/{version}/promote"),
        ("promote", administers, "tiny-b"),
        ("rollback", administers, "tiny-a"),
        ("key-refused", "0123abcd", ""),
        ("sign-in-refused", "unknown", ""),
    ]
    assert verify(whole.database).head.sequence == len(events)
    assert "JANE" not in str(list(export(whole.database)))


def test_no_operation_obeys_another_sites_page(serve: object) -> None:
    assert callable(serve)
    whole: Whole = serve()
    token = create_key(whole.database, "test", Role.ADMINISTER).token
    assert whole.client.post("/sessions", json={"key": token}).status_code in {200, 201, 204}
    asked = 0
    for path, row in ACCESS.items():
        for method in set(row) - _SAFE:
            for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"origin": "null"}):
                kind = {"content-type": "text/plain"}
                answer = whole.client.request(method, _address(path), headers=headers | kind, content=b'{"a": "b"}')
                assert (answer.status_code, answer.json()["code"]) == (403, "cross-site"), (method, path)
                asked += 1
    assert asked >= 3 * 14


def test_every_operation_counts_against_its_key(serve: object) -> None:
    assert callable(serve)
    whole: Whole = serve(AccessRules(requests_per_minute=1))
    _, headers = whole.key(Role.ADMINISTER)
    assert whole.client.get("/limits", headers=headers).status_code == 200
    for path, row in ACCESS.items():
        for method, role in row.items():
            answer = whole.client.request(method, _address(path), headers=headers)
            is_limited = answer.status_code == 429
            assert is_limited is (role is not PUBLIC), (method, path)
            if is_limited:
                assert int(answer.headers["retry-after"]) >= 1
