"""The history as a client sees it, on SQLite and PostgreSQL: kept, found, exported, judged, deleted by age."""

from __future__ import annotations

import csv
import hashlib
import io
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import pytest
from fastapi.testclient import TestClient
from web_serving import open_history, serving, tiny_service

from hilum.imaging.phantoms import draw_phantom
from hilum.services import history_writer, retention
from hilum.services.history import History
from hilum.storage import predictions
from hilum.storage.blobs import folder_url, open_blobs
from hilum.web.tables import csv_rows
from postgresql_server import PostgresqlServer


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    """Slices that get different answers."""
    return [cv2.imencode(".png", draw_phantom(seed, side=256))[1].tobytes() for seed in range(5)]


@pytest.fixture
def kept(database_url: str, tmp_path: Path) -> Iterator[History]:
    """An empty history."""
    history = open_history(database_url, tmp_path / "blobs")
    yield history
    history.close()


@pytest.fixture
def client(tiny_bundle: Path, kept: History) -> Iterator[TestClient]:
    """A client of an app that keeps a history."""
    with serving(tiny_service(tiny_bundle), history=kept) as client:
        yield client


def ask(client: TestClient, data: bytes, name: str = "JANE-DOE.png") -> dict[str, Any]:
    """The answer for one slice."""
    answer: dict[str, Any] = client.post("/predict", files={"file": (name, data)}).json()
    return answer


def test_an_answer_can_be_found_again(client: TestClient, pictures: list[bytes]) -> None:
    answer = ask(client, pictures[0])
    found = client.get(f"/predictions/{answer['id']}").json()

    assert answer.pop("stored") is True
    assert found["answer"] == answer
    assert found["image_sha256"] == hashlib.sha256(pictures[0]).hexdigest()
    assert found["image_kept"] is True
    assert found["confirmed_class"] is None
    assert abs(datetime.fromisoformat(found["created_at"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert "JANE" not in str(found)


def test_pages_hold_every_answer_once_the_newest_first(client: TestClient, pictures: list[bytes]) -> None:
    ids = [ask(client, data)["id"] for data in pictures]

    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get("/predictions", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert found == ids[::-1]


def test_filters(client: TestClient, pictures: list[bytes]) -> None:
    answers = [ask(client, data) for data in pictures]

    for field in ("predicted_class", "decision", "model_version"):
        wanted = answers[0][field]
        listed = client.get("/predictions", params={field: wanted}).json()["items"]
        assert [item["id"] for item in listed] == [one["id"] for one in answers[::-1] if one[field] == wanted]
    past, future = "2001-01-01", "2999-01-01"
    assert client.get("/predictions", params={"until": past}).json() == {"items": [], "next": None}
    assert len(client.get("/predictions", params={"since": past, "until": future}).json()["items"]) == 5


def test_predictions_are_found_by_feedback_and_by_how_they_begin(client: TestClient, pictures: list[bytes]) -> None:
    answers = [ask(client, data) for data in pictures]
    agreed, corrected = answers[0], answers[1]
    other = next(name for name in corrected["probabilities"] if name != corrected["predicted_class"])
    for answer, name in ((agreed, agreed["predicted_class"]), (corrected, other)):
        client.post(f"/predictions/{answer['id']}/feedback", json={"confirmed_class": name})

    def found(**query: str) -> set[str]:
        return {item["id"] for item in client.get("/predictions", params=query).json()["items"]}

    assert found(feedback="agrees") == {agreed["id"]}
    assert found(feedback="differs") == {corrected["id"]}
    assert found(feedback="none") == {one["id"] for one in answers[2:]}
    assert found(confirmed_class=other, predicted_class=corrected["predicted_class"]) == {corrected["id"]}
    digest = hashlib.sha256(pictures[2]).hexdigest()
    for begin in (answers[2]["id"], answers[2]["id"][:13], answers[2]["id"].upper(), digest, digest[:12]):
        assert found(search=begin) == {answers[2]["id"]}
    assert found(search="0" * 64) == set()


def test_an_empty_history_is_a_csv_with_a_head(client: TestClient) -> None:
    response = client.get("/predictions.csv")
    assert (response.status_code, response.text.count("\n")) == (200, 1)


def test_moments_before_and_after_all_predictions_are_moments(client: TestClient, pictures: list[bytes]) -> None:
    ask(client, pictures[0])
    first, last = "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00"
    for query, found in ((f"since={first}&until={last}", 1), (f"since={last}", 0), (f"until={first}", 0)):
        assert len(client.get(f"/predictions?{query}").json()["items"]) == found


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("search=%25", "request-invalid"),
        ("search=" + "0" * 65, "request-invalid"),
        ("feedback=maybe", "request-invalid"),
        ("limit=0", "request-invalid"),
        ("limit=201", "request-invalid"),
        ("limit=x", "request-invalid"),
        ("decision=maybe", "request-invalid"),
        ("since=yesterday", "request-invalid"),
        ("until=1e300", "request-invalid"),
        ("since=1", "request-invalid"),
        ("until=1764200000", "request-invalid"),
        ("predicted_class=%00", "request-invalid"),
        ("predicted_class=" + "x" * 201, "request-invalid"),
        ("cursor=", "cursor-invalid"),
        ("cursor=nope", "cursor-invalid"),
        ("cursor=%C3%A9", "cursor-invalid"),
        ("cursor=MjAyNi0wMS0wMVQwMDowMDowMCAwMDAw", "cursor-invalid"),
    ],
)
def test_odd_queries_are_refused(client: TestClient, query: str, code: str) -> None:
    for path in ("/predictions", "/predictions.csv"):
        if path.endswith("csv") and query.startswith(("limit", "cursor")):
            continue
        response = client.get(f"{path}?{query}")
        assert (response.status_code, response.json()["code"]) == (422, code)


def test_exports_csv(client: TestClient, pictures: list[bytes]) -> None:
    answers = [ask(client, data) for data in pictures]
    client.post(f"/predictions/{answers[0]['id']}/feedback", json={"confirmed_class": "normal"})

    response = client.get("/predictions.csv")
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert response.headers["content-type"].startswith("text/csv")
    assert [row["id"] for row in rows] == [answer["id"] for answer in answers[::-1]]
    assert float(rows[-1]["probability"]) == max(answers[0]["probabilities"].values())
    assert [row["confirmed_class"] for row in rows] == ["", "", "", "", "normal"]
    assert len(list(csv.reader(io.StringIO(client.get("/predictions.csv?until=2001-01-01").text)))) == 1


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_of_the_csv_is_a_formula(start: str) -> None:
    stored = predictions.StoredPrediction(
        id=uuid.uuid4(), created_at=datetime.now(UTC), image_sha256="0" * 64, is_image_kept=True,
        predicted_class=f"{start}cmd|'/c calc'!A1", decision="review", model_version=f'{start}"x"', latency_ms=1.0,
        answer={"warnings": [f"{start}w"]}, provenance_digest="0" * 64, confirmed_class=f"{start}HYPERLINK()",
    )  # fmt: skip
    (cells,) = csv.reader(io.StringIO(csv_rows([stored]), newline=""))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in cells)


def test_feedback_is_kept_once_and_can_be_corrected(client: TestClient, pictures: list[bytes]) -> None:
    path = f"/predictions/{ask(client, pictures[0])['id']}/feedback"

    first = client.post(path, json={"confirmed_class": "normal"})
    again = client.post(path, json={"confirmed_class": "normal"})
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert first.json()["is_new_label"] is False
    corrected = client.post(path, json={"confirmed_class": "hamartoma", "is_new_label": True}).json()
    assert (corrected["confirmed_class"], corrected["is_new_label"]) == ("hamartoma", True)
    assert client.get(path.removesuffix("/feedback")).json()["confirmed_class"] == "hamartoma"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"confirmed_class": "hamartoma"}', 422, "label-invalid"),
        (b'{"confirmed_class": "Hamartoma of Jane", "is_new_label": true}', 422, "label-invalid"),
        (b'{"confirmed_class": "=1+1", "is_new_label": true}', 422, "label-invalid"),
        (b'{"confirmed_class": ""}', 422, "request-invalid"),
        (b'{"confirmed_class": 7}', 422, "request-invalid"),
        (b'{"confirmed_class": "normal", "note": "x"}', 422, "request-invalid"),
        (b"[]", 422, "request-invalid"),
        (b"{", 422, "request-invalid"),
        (b"\xff", 422, "request-invalid"),
        (b"[" * 15_000, 422, "request-invalid"),
        (b'{"confirmed_class": "' + b"x" * 20_000 + b'"}', 413, "body-too-large"),
    ],
)
def test_odd_feedback_is_refused(
    client: TestClient, pictures: list[bytes], body: bytes, status: int, code: str
) -> None:
    path = f"/predictions/{ask(client, pictures[0])['id']}"

    response = client.post(f"{path}/feedback", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert client.post(f"{path}/feedback", content=body).json()["code"] == "not-json"
    assert client.get(path).json()["confirmed_class"] is None


@pytest.mark.parametrize("prediction_id", ["nope", "%00", str(uuid.UUID(int=7)), "x" * 4000])
def test_an_unknown_id_is_not_found(client: TestClient, prediction_id: str) -> None:
    for tail in ("", "/receipt", "/explanation", "/slice"):
        response = client.get(f"/predictions/{prediction_id}{tail}")
        assert (response.status_code, response.json()["code"]) == (404, "prediction-not-found")
    said = client.post(f"/predictions/{prediction_id}/feedback", json={"confirmed_class": "normal"})
    assert said.json()["code"] == "prediction-not-found"


def test_an_old_answer_is_explained_from_its_kept_image(
    client: TestClient, pictures: list[bytes], tiny_bundle: Path, database_url: str, tmp_path: Path
) -> None:
    answer = ask(client, pictures[0])
    paths = [f"/predictions/{answer['id']}/{name}" for name in ("explanation", "slice")]
    before = [client.get(path).content for path in paths]

    with serving(tiny_service(tiny_bundle), history=open_history(database_url, tmp_path / "blobs")) as restarted:
        assert [restarted.get(path).content for path in paths] == before
        (blob,) = (tmp_path / "blobs" / "slices").rglob(hashlib.sha256(pictures[0]).hexdigest())
        blob.write_bytes(b"damaged")
    with serving(tiny_service(tiny_bundle), history=open_history(database_url, tmp_path / "blobs")) as restarted:
        refused = restarted.get(paths[0])
        assert (refused.status_code, refused.json()["code"]) == (410, "image-not-kept")


def test_without_images_only_recent_answers_are_explained(
    tiny_bundle: Path, pictures: list[bytes], database_url: str, tmp_path: Path
) -> None:
    def history() -> History:
        return open_history(database_url, tmp_path / "blobs", keeps_images=False)

    with serving(tiny_service(tiny_bundle), history=history()) as client:
        answer = ask(client, pictures[0])
        assert (answer["stored"], answer["warnings"]) == (True, ask(client, pictures[0])["warnings"])
        assert client.get(f"/predictions/{answer['id']}/explanation").status_code == 200
    with serving(tiny_service(tiny_bundle), history=history()) as client:
        assert client.get(f"/predictions/{answer['id']}").json()["image_kept"] is False
        assert client.get(f"/predictions/{answer['id']}/explanation").json()["code"] == "image-not-kept"
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == pictures[0]] == []


def test_another_model_does_not_explain(
    client: TestClient, kept: History, pictures: list[bytes], tiny_bundle: Path, database_url: str, tmp_path: Path
) -> None:
    answer = ask(client, pictures[0])
    with kept._database.writing() as connection:
        connection.exec_driver_sql("UPDATE predictions SET model_version = 'other'")

    with serving(tiny_service(tiny_bundle), history=open_history(database_url, tmp_path / "blobs")) as restarted:
        refused = restarted.get(f"/predictions/{answer['id']}/explanation")
    assert (refused.status_code, refused.json()["code"]) == (409, "model-changed")


def test_without_a_history_answers_say_so(tiny_bundle: Path, pictures: list[bytes]) -> None:
    with serving(tiny_service(tiny_bundle)) as client:
        answer = ask(client, pictures[0])
        listed = client.get("/predictions")

    assert answer["stored"] is False
    assert (listed.status_code, listed.json()["code"]) == (404, "history-off")


def test_old_predictions_and_their_images_are_deleted(
    tiny_bundle: Path, pictures: list[bytes], database_url: str, tmp_path: Path
) -> None:
    history = open_history(database_url, tmp_path / "blobs", retention_days=30)
    with serving(tiny_service(tiny_bundle), history=history) as client:
        ask(client, pictures[0])
        ask(client, pictures[1])
        later = datetime.now(UTC) + timedelta(days=29)
        assert history.delete_old(later) == 0
        assert len(client.get("/predictions").json()["items"]) == 2
        assert history.delete_old(later + timedelta(days=2)) == 2
        assert client.get("/predictions").json()["items"] == []
        assert history.delete_old(later + timedelta(days=2, hours=2)) == 0  # images go once they were aside for an hour
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


def test_a_fresh_image_without_a_row_is_not_swept(kept: History, tmp_path: Path) -> None:
    blobs = open_blobs(folder_url(tmp_path / "blobs"), "slices")
    digest = blobs.put(b"about to get its row")
    kept.delete_old()
    assert blobs.get(digest) == b"about to get its row"


def test_a_prediction_whose_row_would_come_too_late_for_its_image_is_not_acknowledged(
    client: TestClient, pictures: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(retention, "STAYS", timedelta(seconds=-1))
        answer = ask(client, pictures[0])

    assert answer["stored"] is False
    assert "history-unavailable" in answer["warnings"]
    assert client.get("/predictions").json()["items"] == []


def test_predictions_go_on_without_the_database_and_history_heals(
    tiny_bundle: Path, pictures: list[bytes], postgresql: PostgresqlServer, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(history_writer, "_REST_S", 0.05)
    with postgresql.database() as url:
        history = open_history(url, tmp_path / "blobs")
        with serving(tiny_service(tiny_bundle), history=history) as client:
            first = ask(client, pictures[0])
            postgresql.stop()
            try:
                during = [ask(client, pictures[1]) for _ in range(3)]
                listed = client.get("/predictions")
                health = client.get("/health").json()
            finally:
                postgresql.start()
            time.sleep(0.1)
            after = ask(client, pictures[2])
            found = client.get("/predictions").json()["items"]

    assert [answer["stored"] for answer in (first, *during, after)] == [True, False, False, False, True]
    assert all("history-unavailable" in answer["warnings"] for answer in during)
    assert (listed.status_code, listed.json()["code"]) == (503, "history-unavailable")
    assert listed.headers["retry-after"] == "2"
    assert health["status"] == "degraded"
    assert [item["id"] for item in found] == [after["id"], first["id"]]


def test_another_program_that_locks_the_file_holds_up_no_prediction(
    tiny_bundle: Path, pictures: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_writer, "_REST_S", 0.05)
    file = tmp_path / "hilum.db"
    history = open_history(f"sqlite:///{file}", tmp_path / "blobs", lock_wait_s=0.2)
    with serving(tiny_service(tiny_bundle), history=history) as client:
        before = ask(client, pictures[0])
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            during = ask(client, pictures[1])
            said = client.post(f"/predictions/{before['id']}/feedback", json={"confirmed_class": "normal"})
            listed = client.get("/predictions")
            other.execute("ROLLBACK")
        time.sleep(0.1)
        after = ask(client, pictures[2])

    assert [answer["stored"] for answer in (before, during, after)] == [True, False, True]
    assert (said.status_code, said.json()["code"]) == (503, "history-unavailable")
    assert said.headers["retry-after"] == "2"
    assert [one["id"] for one in listed.json()["items"]] == [before["id"]]  # readers need no lock


def test_an_image_that_cannot_be_kept_is_said(tiny_bundle: Path, pictures: list[bytes], tmp_path: Path) -> None:
    history = open_history(f"sqlite:///{tmp_path / 'hilum.db'}", tmp_path / "blobs")
    (tmp_path / "blobs").rmdir()
    (tmp_path / "blobs").write_bytes(b"no folder")
    with serving(tiny_service(tiny_bundle), history=history) as client:
        answer = ask(client, pictures[0])
        assert answer["stored"] is True
        assert "image-not-stored" in answer["warnings"]
        assert client.get(f"/predictions/{answer['id']}").json()["image_kept"] is False
        health = client.get("/health").json()
        assert health["status"] == "degraded"
        (reason,) = health["degraded_reasons"]
        assert reason.startswith("images of predictions are not stored: the bytes could not be kept")
        assert client.get("/health/ready").status_code == 200


def test_images_of_an_object_store_are_put_side_by_side(
    tiny_bundle: Path, pictures: list[bytes], tmp_path: Path
) -> None:
    history = open_history(f"sqlite:///{tmp_path / 'hilum.db'}", tmp_path / "blobs")
    history._images._blobs.folder = None  # as of a store that is not a folder
    with serving(tiny_service(tiny_bundle), history=history) as client:
        answer = ask(client, pictures[0])
        assert client.get(f"/predictions/{answer['id']}").json()["image_kept"] is True
