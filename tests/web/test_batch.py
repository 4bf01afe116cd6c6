"""`POST /predict/batch`: each file gets its own answer, and what is too much is refused."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from web_serving import HeldPredictor, open_history, serving, tiny_service

from hilum.services.model import ServedModel, load_model
from hilum.services.prediction import PredictionService
from hilum.services.workers import Workers
from hilum.web.upload_limits import UploadLimits


@pytest.fixture
def client(tiny_bundle: Path, tmp_path: Path) -> Iterator[TestClient]:
    """A client of an app with a history."""
    history = open_history(f"sqlite:///{tmp_path / 'hilum.db'}", tmp_path / "blobs")
    with serving(tiny_service(tiny_bundle), history=history) as client:
        yield client


def send(client: TestClient, *files: bytes) -> Any:
    """The answer for files."""
    return client.post("/predict/batch", files=[("files", ("JANE.png", data)) for data in files])


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_each_file_gets_a_result_or_a_problem(client: TestClient, slice_png: bytes) -> None:
    response = send(client, slice_png, b"<html>", b"", slice_png)
    answer = response.json()

    assert response.status_code == 200
    assert [item["index"] for item in answer["items"]] == [0, 1, 2, 3]
    assert [item["status"] for item in answer["items"]] == [200, 415, 422, 200]
    assert [item["image_sha256"] for item in answer["items"][:2]] == [
        hashlib.sha256(data).hexdigest() for data in (slice_png, b"<html>")
    ]
    assert answer["items"][1]["problem"]["code"] == "unsupported-media-type"
    assert answer["items"][1]["result"] is None
    assert (answer["answered"], answer["refused"]) == (2, 2)
    assert "JANE" not in response.text
    alone = client.post("/predict", files={"file": ("a.png", slice_png)}).json()
    assert answer["items"][0]["result"]["probabilities"] == alone["probabilities"]


def test_every_result_is_kept(client: TestClient, slice_png: bytes) -> None:
    items = send(client, slice_png, slice_png, b"x").json()["items"]

    assert all(item["result"]["stored"] for item in items[:2])
    kept = client.get("/predictions").json()["items"]
    assert {one["id"] for one in kept} == {item["result"]["id"] for item in items[:2]}


def test_a_zip_stands_for_its_files(client: TestClient, slice_png: bytes) -> None:
    archive = zipped({"series/1.png": slice_png, "series/JANE.txt": b"notes", "__MACOSX/._1.png": b"x"})

    response = send(client, archive, slice_png)
    assert [item["status"] for item in response.json()["items"]] == [200, 415, 200]
    assert "JANE" not in response.text


@pytest.mark.parametrize(
    ("files", "status", "code"),
    [
        ([zipped({"../../evil.png": b"x"})], 422, "archive-unsafe-path"),
        ([zipped({"JANE.zip": zipped({"1.png": b"x"})})], 422, "archive-nested"),
        ([zipped({"bomb.png": b"\0" * 30_000_000})], 413, "archive-too-large"),
        ([zipped({f"{number}.png": b"x" for number in range(101)})], 413, "archive-too-many-files"),
        ([zipped({})], 422, "archive-no-usable-images"),
        ([b"PK\3\4" + b"x" * 100], 422, "archive-corrupt"),
        ([b"x"] * 101, 422, "too-many-files"),
    ],
)
def test_a_batch_that_cannot_be_taken_is_refused_whole(
    client: TestClient, files: list[bytes], status: int, code: str
) -> None:
    response = send(client, *files)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert "JANE" not in response.text
    assert client.get("/predictions").json()["items"] == []


def test_an_upload_without_files_is_refused(client: TestClient, slice_png: bytes) -> None:
    assert client.post("/predict/batch", files={"file": ("a.png", slice_png)}).json()["code"] == "file-missing"
    assert client.post("/predict/batch", json={}).json()["code"] == "not-multipart"


def test_a_batch_larger_than_the_limit_is_refused(tiny_bundle: Path, slice_png: bytes) -> None:
    with serving(tiny_service(tiny_bundle), limits=UploadLimits(batch_bytes=10_000)) as client:
        response = send(client, slice_png)
    assert (response.status_code, response.json()["code"]) == (413, "body-too-large")


def test_only_so_many_batches_at_once_and_single_slices_go_on(tiny_bundle: Path, slice_png: bytes) -> None:
    held = HeldPredictor(load_model(tiny_bundle))
    service = PredictionService(lambda: ServedModel(held), workers=Workers(threads=1, max_waiting=2))
    answers: list[int] = []
    with serving(service) as client:
        batches = [
            threading.Thread(target=lambda: answers.append(send(client, *[slice_png] * 20).status_code))
            for _ in range(2)
        ]
        for batch in batches:
            batch.start()
        held.entered.wait(10)
        while service.workers.admitted < 2:
            pass
        third = send(client, slice_png)
        held.release.set()
        for batch in batches:
            batch.join(30)

    assert (third.status_code, third.json()["code"], third.headers["retry-after"]) == (503, "overloaded", "1")
    assert answers == [200, 200]
