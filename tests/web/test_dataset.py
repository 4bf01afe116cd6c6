"""`GET /dataset` and what people decide on single labelled images; confirmed predictions join them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from web_serving import open_history, serving, tiny_service

from drawn_dataset import draw_varied
from hilum.services.audit_log import export
from hilum.services.dataset_desk import DatasetDesk
from hilum.services.datasets import Datasets
from hilum.services.state import LABELLED, SLICES
from hilum.storage.blobs import folder_url, open_blobs
from hilum.storage.database import Database
from hilum.storage.schema import upgrade
from labelled_samples import copies_of, drawn_png, encoded, incoming, many


@pytest.fixture
def datasets(database_url: str, tmp_path: Path) -> Iterator[Datasets]:
    """Labelled images beside a history, on each kind of database."""
    database = Database(database_url)
    upgrade(database)
    folder = folder_url(tmp_path / "blobs")
    opened = Datasets(database, open_blobs(folder, LABELLED), slices=open_blobs(folder, SLICES), is_audited=True)
    yield opened
    opened.close()


@pytest.fixture
def client(tiny_bundle: Path, datasets: Datasets, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    """A client of an app with a history that takes labelled images."""
    history = open_history(database_url, tmp_path / "blobs")
    with serving(tiny_service(tiny_bundle), history=history, datasets=DatasetDesk(datasets)) as client:
        yield client


def send(client: TestClient, *files: bytes, **fields: str) -> list[dict[str, Any]]:
    """The items of an upload's report."""
    response = client.post("/upload-data", files=[("files", ("a.png", data)) for data in files], data=fields)
    assert response.status_code == 201, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


def predict(client: TestClient, data: bytes) -> dict[str, Any]:
    """A stored prediction."""
    answer: dict[str, Any] = client.post("/predict", files={"file": ("a.png", data)}).json()
    assert answer["stored"]
    return answer


def confirm(client: TestClient, prediction_id: str, class_name: str, **more: object) -> None:
    """Says what a prediction's slice shows."""
    said = {"confirmed_class": class_name} | more
    assert client.post(f"/predictions/{prediction_id}/feedback", json=said).status_code == 200


def rows(client: TestClient) -> dict[tuple[str, str, str], int]:
    """The distribution."""
    found = client.get("/dataset").json()["distribution"]
    return {(row["class_name"], row["split"], row["source"]): row["count"] for row in found}


def images(client: TestClient, **filters: object) -> list[dict[str, Any]]:
    """Every labelled image that is wanted, read through pages of two."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/dataset/images", params={"limit": 2} | filters | cursor).json()
        found += page["items"]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


def test_an_empty_dataset(client: TestClient) -> None:
    assert client.get("/dataset").json() == {
        "classes": [], "distribution": [], "quarantined": 0, "since_last_run": 0, "findings": [], "label_next": [],
    }  # fmt: skip
    assert images(client) == []


def test_what_there_is_by_class_split_and_source(client: TestClient, datasets: Datasets) -> None:
    datasets.add(many(100, 3, split="test"), source="import", takes_new_classes=True)
    datasets.add(many(200, 6), source="import")
    send(client, drawn_png(1), drawn_png(2), label="normal")
    send(client, drawn_png(3), label="hamartoma")

    found = client.get("/dataset").json()
    assert found["classes"] == ["adenocarcinoma", "normal"]
    assert rows(client) == {
        ("adenocarcinoma", "test", "import"): 3,
        ("adenocarcinoma", "train", "import"): 6,
        ("normal", "test", "import"): 3,
        ("normal", "train", "import"): 6,
        ("normal", "train", "upload"): 2,
    }
    assert (found["quarantined"], found["since_last_run"]) == (1, 20)
    told = [finding["sentence"] for finding in found["findings"]]
    assert told == [
        "adenocarcinoma has 6 images of only 6 patients or series.",
        "normal has 8 images of only 8 patients or series.",
        "1 image waits for a person: 1 of an unknown class.",
    ]
    datasets.snapshot()
    assert client.get("/dataset").json()["since_last_run"] == 0


def test_a_class_without_test_images_and_an_uneven_set_are_told(client: TestClient, datasets: Datasets) -> None:
    datasets.add(incoming((drawn_png(100), "normal"), split="test"), source="import", takes_new_classes=True)
    datasets.add(incoming(*((drawn_png(seed), "normal") for seed in range(1, 8))), source="import")
    datasets.add(incoming((drawn_png(50), "hamartoma")), source="import", takes_new_classes=True)

    told = {finding["code"]: finding["sentence"] for finding in client.get("/dataset").json()["findings"]}
    assert told["class-not-tested"].startswith("hamartoma has no test image")
    assert told["imbalance"] == "normal has 7 images to learn from and hamartoma only 1."


def test_pages_and_filters(client: TestClient) -> None:
    items = send(client, *(drawn_png(seed) for seed in range(1, 6)), label="normal")
    send(client, drawn_png(9), label="hamartoma")

    assert [image["id"] for image in images(client, class_name="normal")] == [i["image_id"] for i in items][::-1]
    (waiting,) = images(client, status="quarantined")
    assert waiting["class_name"] == "hamartoma"
    assert waiting["reasons"][0]["code"] == "label-unknown"
    assert (waiting["split"], waiting["source"], waiting["is_kept"], waiting["width"]) == ("train", "upload", True, 128)
    assert images(client, source="import") == []
    for wrong in ({"cursor": "x"}, {"limit": 0}, {"limit": 201}, {"split": "valid"}, {"status": "' OR 1=1"}):
        assert client.get("/dataset/images", params=wrong).status_code == 422
    assert client.get("/dataset/images", params={"cursor": "9" * 20}).status_code == 200


def test_thumbnails_show_the_pixels_and_nothing_else(client: TestClient) -> None:
    picture = cv2.resize(draw_varied(5, 0), (300, 240))
    (item,) = send(client, encoded(picture), label="normal")
    path = f"/dataset/images/{item['image_id']}/thumbnail"

    response = client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (200, "image/png")
    small = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert small.shape == (102, 128)
    whole = cv2.imdecode(np.frombuffer(client.get(path, params={"side": 1024}).content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(whole, picture)
    assert client.get(path, params={"side": 1025}).status_code == 422
    (broken,) = send(client, drawn_png(1)[:-300], label="normal")
    gone = client.get(f"/dataset/images/{broken['image_id']}/thumbnail")
    assert (gone.status_code, gone.json()["code"]) == (410, "image-not-kept")


@pytest.mark.parametrize("image_id", ["nonsense", "00000000-0000-0000-0000-000000000000", "..%2f..%2fx"])
def test_an_image_that_is_not_there(client: TestClient, image_id: str) -> None:
    answers = [
        client.get(f"/dataset/images/{image_id}/thumbnail"),
        client.post(f"/dataset/images/{image_id}/release"),
        client.delete(f"/dataset/images/{image_id}"),
    ]
    assert {answer.status_code for answer in answers} == {404}


def test_released_images_may_be_trained_on(client: TestClient, datasets: Datasets, database_url: str) -> None:
    (first, second) = send(client, drawn_png(1), drawn_png(2), label="hamartoma")

    response = client.post(f"/dataset/images/{first['image_id']}/release", json={"class_name": "Normal"})
    assert (response.status_code, response.json()["class_name"], response.json()["status"]) == (
        200,
        "normal",
        "accepted",
    )
    assert response.json()["reasons"] == []
    assert client.post(f"/dataset/images/{second['image_id']}/release").json()["class_name"] == "hamartoma"
    assert rows(client) == {("normal", "train", "upload"): 1, ("hamartoma", "train", "upload"): 1}
    assert [item["status"] for item in send(client, drawn_png(3), label="hamartoma")] == ["accepted"]
    again = client.post(f"/dataset/images/{first['image_id']}/release")
    assert (again.status_code, again.json()["code"]) == (409, "image-state-conflict")
    database = Database(database_url)
    kinds = [(event.kind, event.subject) for event in export(database)]
    database.close()
    assert ("image-released", first["image_id"]) in kinds


def test_of_contradicting_labels_one_can_be_released(client: TestClient) -> None:
    send(client, drawn_png(1), label="normal")
    (other,) = send(client, drawn_png(1), label="adenocarcinoma")
    assert other["code"] == "label-conflict"

    held = client.post(f"/dataset/images/{other['image_id']}/release")
    assert (held.status_code, held.json()["code"]) == (409, "image-state-conflict")
    (accepted,) = images(client, status="accepted")
    assert client.delete(f"/dataset/images/{accepted['id']}").status_code == 204
    assert client.post(f"/dataset/images/{other['image_id']}/release").status_code == 200
    assert rows(client) == {("adenocarcinoma", "train", "upload"): 1}


def test_no_release_past_the_test_set(client: TestClient, datasets: Datasets) -> None:
    (waiting,) = send(client, copies_of(100)["crop"], label="hamartoma")
    datasets.add(many(200, 5), source="import", takes_new_classes=True)
    assert send(client, drawn_png(1)[:-300], label="normal")[0]["status"] == "quarantined"
    datasets.add(incoming((drawn_png(100), "normal"), split="test"), source="import")

    held = client.post(f"/dataset/images/{waiting['image_id']}/release")
    assert (held.status_code, held.json()["code"]) == (409, "holdout-image")
    (unreadable,) = [image for image in images(client, status="quarantined") if not image["is_kept"]]
    assert client.post(f"/dataset/images/{unreadable['id']}/release").json()["code"] == "image-state-conflict"


def test_deleted_images_are_not_trained_on_again(client: TestClient, datasets: Datasets, database_url: str) -> None:
    datasets.add(many(100, 3, split="test"), source="import", takes_new_classes=True)
    datasets.add(many(200, 6), source="import")
    (item,) = send(client, drawn_png(1), label="normal")
    before = datasets.snapshot()

    assert client.delete(f"/dataset/images/{item['image_id']}").status_code == 204
    assert client.delete(f"/dataset/images/{item['image_id']}").status_code == 204
    (again,) = send(client, copies_of(1)["pixels"], label="normal")
    assert (again["status"], again["code"]) == ("quarantined", "deleted-before")
    after = datasets.snapshot()
    assert len(after.images) == len(before.images) - 1
    assert datasets.find_snapshot(before.digest) == before
    (held, *_) = images(client, split="test")
    frozen = client.delete(f"/dataset/images/{held['id']}")
    assert (frozen.status_code, frozen.json()["code"]) == (409, "test-set-frozen")
    database = Database(database_url)
    kinds = [event.kind for event in export(database)]
    database.close()
    assert kinds.count("image-deleted") == 1


def test_confirmed_predictions_join_once_and_follow_corrections(client: TestClient, datasets: Datasets) -> None:
    answer = predict(client, drawn_png(1))
    confirm(client, answer["id"], "normal")
    assert rows(client) == {("normal", "train", "feedback"): 1}
    confirm(client, answer["id"], "normal")
    assert rows(client) == {("normal", "train", "feedback"): 1}
    confirm(client, answer["id"], "hamartoma", is_new_label=True)
    assert rows(client) == {("hamartoma", "train", "feedback"): 1}
    (image,) = images(client)
    assert image["sha256"] == client.get(f"/predictions/{answer['id']}").json()["image_sha256"]
    assert send(client, drawn_png(1), label="hamartoma", new_classes="true")[0]["status"] == "duplicate"


def test_a_confirmed_prediction_joins_without_being_asked_for(
    client: TestClient, datasets: Datasets, database_url: str
) -> None:
    confirm(client, predict(client, drawn_png(1))["id"], "normal")
    until = time.monotonic() + 20
    while not datasets.distribution() and time.monotonic() < until:
        time.sleep(0.02)
    assert [(row.class_name, row.source) for row in datasets.distribution()] == [("normal", "feedback")]
    with closing(Database(database_url)) as database:
        events = [(event.actor, event.details["source"]) for event in export(database) if event.kind == "upload"]
    assert events == [("system", "feedback")]


def test_a_confirmed_copy_of_a_test_image_does_not_join(client: TestClient, datasets: Datasets) -> None:
    datasets.add(incoming((drawn_png(100), "normal"), split="test"), source="import", takes_new_classes=True)
    confirm(client, predict(client, copies_of(100)["crop"])["id"], "normal")
    confirm(client, predict(client, drawn_png(1))["id"], "normal")
    assert rows(client) == {("normal", "test", "import"): 1, ("normal", "train", "feedback"): 1}


def test_what_to_label_next_is_uncertain_and_each_image_once(client: TestClient) -> None:
    answers = [predict(client, drawn_png(seed)) for seed in (1, 2, 3, 1)]
    suggested = client.get("/dataset").json()["label_next"]
    assert {one["prediction_id"] for one in suggested} == {answer["id"] for answer in answers[1:]}
    assert all(one["reason"].startswith("between ") for one in suggested)
    confirm(client, answers[1]["id"], "normal")
    left = {one["prediction_id"] for one in client.get("/dataset").json()["label_next"]}
    assert left == {answers[2]["id"], answers[3]["id"]}
