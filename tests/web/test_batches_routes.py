"""`/batches`: queued, watched, read as JSON, lines and CSV, cancelled and deleted; on both databases."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from web_serving import HOSTS, open_history, tiny_service

from hilum.imaging.decode import decode
from hilum.inference.predictor import Predictor
from hilum.services.audit_log import export
from hilum.services.batch_desk import BatchesDesk
from hilum.services.batch_rules import BatchCaps
from hilum.services.batch_scoring import ChunkScorer, ModelShelf
from hilum.services.batches import Batches
from hilum.storage.blobs import Blobs, folder_url, open_blobs
from hilum.storage.database import Database
from hilum.web.app import create_app
from hilum.web.upload_limits import UploadLimits
from zip_files import pack


class Served:
    """A server, and what scores its batches when told to."""

    def __init__(self, url: str, folder: Path, bundle: Path) -> None:
        """Serves; `client` asks."""
        self.url, self._folder, self._bundle = url, folder, bundle
        history = open_history(url, folder)
        found = Batches(Database(url), self._open, find_model=lambda: "tiny-1", is_audited=True)
        self.desk = BatchesDesk(found, caps=BatchCaps(files=50))
        limits = UploadLimits(references_bytes=2000)
        self.service = tiny_service(bundle)
        app = create_app(self.service, history=history, queued=self.desk, allowed_hosts=HOSTS, upload_limits=limits)
        self.client = TestClient(app, base_url="http://localhost")

    def score(self, batch_id: str) -> None:
        """Scores every chunk of a batch."""
        models = ModelShelf(Path, lambda _: Predictor.load(self._bundle))
        database = Database(self.url)
        scorer = ChunkScorer(database, self._open, self._open("slices"), models, decode)
        with closing(scorer), closing(database):
            batch = self.desk.batches.find(batch_id)
            for number in range(batch.n_chunks):
                scorer.score(batch.id, number)

    def _open(self, kind: str) -> Blobs:
        return open_blobs(folder_url(self._folder), kind)


@pytest.fixture
def served(database_url: str, tmp_path: Path, tiny_bundle: Path) -> Iterator[Served]:
    """A server over an empty state."""
    made = Served(database_url, tmp_path / "blobs", tiny_bundle)
    with made.client:
        made.service.loaded.wait(10)
        yield made


def _files(*contents: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", ("JANE.png", content)) for content in contents]


def test_a_batch_goes_from_files_to_results(served: Served, slice_png: bytes) -> None:
    client = served.client
    archive = pack(("JANE/1.png", slice_png), ("2.txt", b"no image"))
    asked = client.post("/batches", files=_files(slice_png, archive), data={"note": "the old archive"})
    assert asked.status_code == 202
    batch = asked.json()
    assert asked.headers["location"] == f"/batches/{batch['id']}"
    expected = {"status": "queued", "images": 3, "answered": 0, "progress": 0.0, "note": "the old archive"}
    assert (expected | {"model_version": "tiny-1"}).items() <= batch.items()
    assert client.get(asked.headers["location"]).json() == batch
    assert client.get("/batches").json() == {"items": [batch], "next": None}
    assert client.get(f"/batches/{batch['id']}/results").json() == {"items": [], "next": None}

    served.score(batch["id"])
    ended = client.get(f"/batches/{batch['id']}").json()
    assert {
        "status": "done",
        "answered": 2,
        "refused": 1,
        "progress": 1.0,
        "seconds_left": None,
    }.items() <= ended.items()
    items = client.get(f"/batches/{batch['id']}/results").json()["items"]
    assert [item["status"] for item in items] == [200, 200, 415]
    assert items[0]["image_sha256"] == hashlib.sha256(slice_png).hexdigest()
    assert items[0]["result"]["predicted_class"] in items[0]["result"]["probabilities"]
    assert (items[2]["result"], items[2]["problem"]["code"]) == (None, "unsupported-media-type")
    told = client.get(f"/batches/{batch['id']}/events").text
    assert told.startswith("event: batch\n")
    assert json.loads(told.partition("data: ")[2]) == ended
    with closing(Database(served.url)) as database:
        assert ("batch", "open", batch["id"]) in [(e.kind, e.actor, e.subject) for e in export(database)]


def test_results_come_in_pages_and_as_files_without_names(served: Served, slice_png: bytes) -> None:
    client = served.client
    batch_id = client.post("/batches", files=_files(slice_png, b"-", slice_png)).json()["id"]
    served.score(batch_id)
    whole = client.get(f"/batches/{batch_id}/results").json()["items"]
    first = client.get(f"/batches/{batch_id}/results", params={"limit": 2}).json()
    rest = client.get(f"/batches/{batch_id}/results", params={"limit": 2, "after": first["next"]}).json()
    assert (first["items"] + rest["items"], rest["next"]) == (whole, None)

    for ending in ("jsonl", "ndjson"):
        lines = client.get(f"/batches/{batch_id}/results.{ending}")
        assert lines.headers["content-type"] == "application/x-ndjson"
        assert [json.loads(line) for line in lines.text.splitlines()] == whole
    table = client.get(f"/batches/{batch_id}/results.csv")
    assert table.headers["content-disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["problem"] for row in rows] == ["", "unsupported-media-type", ""]
    assert rows[0]["predicted_class"] == whole[0]["result"]["predicted_class"]
    assert "JANE" not in table.text


def test_images_of_the_history_are_scored_again_by_their_hash(served: Served, slice_png: bytes) -> None:
    client = served.client
    answer = client.post("/predict", files={"file": ("a.png", slice_png)}).json()
    digest = hashlib.sha256(slice_png).hexdigest()
    batch = client.post("/batches", json={"images": [digest, "0" * 64]}).json()
    served.score(batch["id"])
    known, unknown = client.get(f"/batches/{batch['id']}/results").json()["items"]
    assert known["result"]["probabilities"] == pytest.approx(answer["probabilities"])
    assert (unknown["status"], unknown["problem"]["code"]) == (410, "image-not-kept")


def test_a_batch_is_cancelled_and_deleted(served: Served, slice_png: bytes) -> None:
    client = served.client
    path = "/batches/" + client.post("/batches", files=_files(slice_png)).json()["id"]
    refused = client.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "batch-active")
    cancelled = client.post(f"{path}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "cancelled")
    assert client.post(f"{path}/cancel").json() == cancelled.json()
    assert client.delete(path).status_code == 204
    for suffix in ("", "/events", "/results", "/results.csv", "/results.jsonl"):
        gone = client.get(path + suffix)
        assert (gone.status_code, gone.json()["code"]) == (404, "batch-not-found")


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"json": {"images": []}}, 422, "request-invalid"),
        ({"json": {"images": ["../../etc"]}}, 422, "request-invalid"),
        ({"json": {"images": ["0" * 64] * 40}}, 413, "body-too-large"),
        ({"json": {"images": ["0" * 64], "url": "http://x"}}, 422, "request-invalid"),
        ({"content": b"x"}, 415, "not-multipart"),
        ({"files": _files(b"x"), "data": {"note": "a\u0000b"}}, 422, "request-invalid"),
        ({"files": _files(b"x"), "data": {"model": "x"}}, 422, "request-invalid"),
        ({"files": _files(pack(("../x.png", b"x")))}, 422, "archive-unsafe-path"),
        ({"files": _files(pack(("in.zip", pack(("x", b"x")))))}, 422, "archive-nested"),
        ({"files": _files(b"x", pack(*((f"{n}.png", b"x") for n in range(50))))}, 413, "archive-too-many-files"),
        ({"files": _files(pack())}, 422, "archive-no-usable-images"),
    ],
)
def test_what_cannot_be_taken_leaves_no_batch(served: Served, sent: dict[str, Any], status: int, code: str) -> None:
    answer = served.client.post("/batches", **sent)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert served.client.get("/batches").json()["items"] == []


def test_batches_come_in_pages_and_another_id_is_not_found(served: Served) -> None:
    client = served.client
    made = [client.post("/batches", json={"images": ["0" * 64]}).json()["id"] for _ in range(3)]
    first = client.get("/batches", params={"limit": 2}).json()
    rest = client.get("/batches", params={"limit": 2, "cursor": first["next"]}).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == made[::-1]
    assert rest["next"] is None
    for other in ("7", "0b9f5f0e-6d0c-4d8e-9d53-0c6f9a5f7f55"):
        assert client.get(f"/batches/{other}").json()["code"] == "batch-not-found"


def test_where_no_state_is_kept_the_answer_says_so(tiny_bundle: Path) -> None:
    app = create_app(tiny_service(tiny_bundle), allowed_hosts=HOSTS)
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/batches").json()["code"] == "history-off"


def test_a_database_that_is_away_is_a_problem_that_passes(tiny_bundle: Path, tmp_path: Path, slice_png: bytes) -> None:
    away = Database("postgresql://hilum@127.0.0.1:1/hilum")
    batches = Batches(away, lambda kind: open_blobs(folder_url(tmp_path), kind), find_model=lambda: "tiny-1")
    app = create_app(tiny_service(tiny_bundle), queued=BatchesDesk(batches), allowed_hosts=HOSTS)
    with TestClient(app, base_url="http://localhost") as client:
        for answer in (client.post("/batches", files=_files(slice_png)), client.get("/batches")):
            assert (answer.status_code, answer.json()["code"]) == (503, "batch-unavailable")
            assert answer.headers["retry-after"]
