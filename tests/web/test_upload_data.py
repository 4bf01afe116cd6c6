"""`POST /upload-data`: every file gets its verdict, and what may train is stored before it is acknowledged."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from web_serving import END, MULTIPART, part, serving, tiny_service

from gated_bundle import gated_copy
from hilum.services.dataset_desk import DatasetDesk
from hilum.services.datasets import Datasets
from hilum.web.upload_limits import UploadLimits
from labelled_samples import copies_of, drawn_png, encoded, incoming, opened_datasets
from zip_files import pack


@pytest.fixture
def datasets(database_url: str, tmp_path: Path) -> Iterator[Datasets]:
    """Labelled images on each kind of database."""
    with opened_datasets(database_url, tmp_path / "blobs", is_audited=True) as opened:
        yield opened


@pytest.fixture
def client(tiny_bundle: Path, datasets: Datasets) -> Iterator[TestClient]:
    """A client of an app that takes labelled images."""
    with serving(tiny_service(tiny_bundle), datasets=DatasetDesk(datasets)) as client:
        yield client


def send(client: TestClient, *files: bytes, **fields: str) -> Any:
    """The answer to files, called what no answer may repeat."""
    return client.post("/upload-data", files=[("files", ("JANE.png", data)) for data in files], data=fields)


def statuses(response: Any) -> list[tuple[str, str | None]]:
    """Status and code of each file."""
    assert response.status_code == 201, response.text
    return [(item["status"], item["code"]) for item in response.json()["items"]]


def test_files_of_one_label(client: TestClient) -> None:
    response = send(client, drawn_png(1), drawn_png(1), b"<html>", drawn_png(2), label="Normal", group="patient-1")
    report = response.json()

    assert statuses(response) == [
        ("accepted", None), ("duplicate", "duplicate"), ("refused", "unsupported-media-type"), ("accepted", None),
    ]  # fmt: skip
    assert [report[name] for name in ("accepted", "duplicates", "quarantined", "refused")] == [2, 1, 0, 1]
    assert report["items"][0] == {
        "index": 0,
        "image_id": report["items"][1]["image_id"],
        "sha256": hashlib.sha256(drawn_png(1)).hexdigest(),
        "label": "normal",
        "status": "accepted",
        "code": None,
        "reasons": [],
        "other_image_id": None,
    }
    assert report["items"][1]["other_image_id"] == report["items"][0]["image_id"]
    assert "JANE" not in response.text
    assert response.headers["location"] == f"/upload-batches/{report['batch_id']}"
    assert client.get(response.headers["location"]).json() == report


def test_a_zip_with_a_folder_a_class_and_splits(client: TestClient, datasets: Datasets) -> None:
    archive = pack(
        ("data/train/normal/leak.png", copies_of(100)["crop"]),
        ("data/train/normal/1.png", drawn_png(1)),
        ("data/valid/adenocarcinoma_left.lower.lobe_T2_N0_M0_Ib/JANE.png", drawn_png(2)),
        ("data/test/normal/1.png", drawn_png(100)),
        ("data/notes.txt", b"notes"),
    )

    response = send(client, archive)
    assert statuses(response) == [
        ("refused", "holdout-image"), ("accepted", None), ("accepted", None), ("accepted", None),
        ("refused", "unsupported-media-type"),
    ]  # fmt: skip
    assert "JANE" not in response.text
    assert {(row.class_name, row.split, row.source): row.count for row in datasets.distribution()} == {
        ("normal", "train", "upload"): 1,
        ("adenocarcinoma", "train", "upload"): 1,
        ("normal", "test", "upload"): 1,
    }


def test_a_label_goes_before_the_folders_of_a_zip(client: TestClient) -> None:
    response = send(client, pack(("any/a.png", drawn_png(1))), drawn_png(2), label="normal")
    assert [item["label"] for item in response.json()["items"]] == ["normal", "normal"]


def test_one_class_whose_images_lie_in_subfolders(client: TestClient) -> None:
    response = send(client, pack(("normal/patient-1/a.png", drawn_png(1)), ("normal/patient-2/b.png", drawn_png(2))))
    assert [item["label"] for item in response.json()["items"]] == ["normal", "normal"]


def test_new_classes_only_where_they_are_meant(client: TestClient) -> None:
    assert statuses(send(client, drawn_png(1), label="hamartoma")) == [("quarantined", "label-unknown")]
    assert statuses(send(client, drawn_png(2), label="hamartoma", new_classes="true")) == [("accepted", None)]
    assert statuses(send(client, drawn_png(3), label="granuloma", new_classes="True")) == [("accepted", None)]


def test_the_served_gate_is_asked(tiny_bundle: Path, datasets: Datasets, tmp_path: Path) -> None:
    bright = np.full((128, 128), 255, np.uint8)
    bright[::16] = 0
    with serving(tiny_service(gated_copy(tiny_bundle, tmp_path / "gated")), datasets=DatasetDesk(datasets)) as client:
        response = send(client, encoded(bright), drawn_png(1), label="normal")
    assert statuses(response) == [("quarantined", "not-a-chest-ct"), ("accepted", None)]
    assert "looks like a photo" in response.json()["items"][0]["reasons"][0]


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({}, 422, "label-invalid"),
        ({"label": "???"}, 422, "label-invalid"),
        ({"label": "normal", "url": "http://169.254.169.254/"}, 422, "request-invalid"),
        ({"label": "normal", "new_classes": "perhaps"}, 422, "request-invalid"),
        ({"label": "normal", "new_classes": "1"}, 422, "request-invalid"),
        ({"label": "normal", "group": "x" * 101}, 422, "request-invalid"),
        ({"label": "normal\r\nX-Evil: 1"}, 422, "request-invalid"),
        ({"label": "x" * 2000}, 400, "multipart-limits"),
        ({"label": "x" * 90}, 422, "archive-no-usable-images"),
    ],
)
def test_forms_that_cannot_be_taken(client: TestClient, fields: dict[str, str], status: int, code: str) -> None:
    response = send(client, drawn_png(1), **fields)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert len(response.content) <= 4096


def test_bodies_that_cannot_be_taken(client: TestClient) -> None:
    def posted(body: bytes) -> Any:
        return client.post("/upload-data", content=body, headers=MULTIPART).json()["code"]

    label = part(b"normal", name="label", filename=None)
    assert posted(label + END) == "file-missing"
    assert posted(label + part(b"text", name="files", filename=None) + END) == "file-missing"
    assert posted(label + part(drawn_png(1), name="files")) == "multipart-malformed"
    assert posted(label + label + part(drawn_png(1), name="files") + END) == "request-invalid"
    beside = part(drawn_png(2), name="file")
    assert posted(label + part(drawn_png(1), name="files") + beside + END) == "request-invalid"
    assert client.post("/upload-data", json={}).json()["code"] == "not-multipart"


def test_what_is_larger_than_the_limits_is_refused(tiny_bundle: Path, datasets: Datasets) -> None:
    limits = UploadLimits(dataset_bytes=100_000, dataset_files=3)
    with serving(tiny_service(tiny_bundle), datasets=DatasetDesk(datasets), limits=limits) as client:
        assert send(client, bytes(200_000), label="normal").json()["code"] == "body-too-large"
        assert send(client, *[b"x"] * 4, label="normal").json()["code"] == "too-many-files"
        assert statuses(send(client, drawn_png(1), label="normal")) == [("accepted", None)]
    assert sum(row.count for row in datasets.distribution()) == 1


def test_one_upload_at_a_time(client: TestClient, datasets: Datasets, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, release, answers = threading.Event(), threading.Event(), []
    add = datasets.add

    def held(*given: Any, **named: Any) -> Any:
        entered.set()
        assert release.wait(20)
        return add(*given, **named)

    monkeypatch.setattr(datasets, "add", held)
    first = threading.Thread(target=lambda: answers.append(send(client, drawn_png(1), label="normal").status_code))
    first.start()
    assert entered.wait(10)
    second = send(client, drawn_png(2), label="normal")
    release.set()
    first.join(20)

    assert (second.status_code, second.json()["code"], second.headers["retry-after"]) == (503, "overloaded", "1")
    assert answers == [201]


def test_no_upload_without_a_place_for_it(tiny_bundle: Path) -> None:
    with serving(tiny_service(tiny_bundle)) as client:
        response = send(client, drawn_png(1), label="normal")
        assert (response.status_code, response.json()["code"]) == (404, "history-off")


def test_a_server_that_keeps_no_images_takes_none(tiny_bundle: Path, datasets: Datasets) -> None:
    desk = DatasetDesk(datasets, takes_images=False)
    with serving(tiny_service(tiny_bundle), datasets=desk) as client:
        response = send(client, drawn_png(1), label="normal")
        assert (response.status_code, response.json()["code"]) == (409, "images-not-taken")
        assert client.get("/dataset").json()["distribution"] == []


def test_what_stays_in_quarantine_loses_its_picture(
    client: TestClient, datasets: Datasets, tmp_path: Path, database_url: str
) -> None:
    (waiting,) = send(client, drawn_png(1), label="hamartoma").json()["items"]
    (accepted,) = send(client, drawn_png(2), label="normal").json()["items"]
    assert (waiting["status"], accepted["status"]) == ("quarantined", "accepted")
    assert client.get(f"/dataset/images/{waiting['image_id']}/thumbnail").status_code == 200

    later = datetime.now(UTC) + timedelta(days=30)
    assert datasets.forget_quarantined(31, later) == 0
    assert datasets.forget_quarantined(29, later) == 1
    assert datasets.sweep(later) == 0
    assert datasets.sweep(later + timedelta(days=2)) == 1

    assert client.get(f"/dataset/images/{waiting['image_id']}/thumbnail").status_code in {404, 409, 410}
    assert client.get(f"/dataset/images/{accepted['image_id']}/thumbnail").status_code == 200
    (shown,) = client.get("/dataset/images?status=quarantined").json()["items"]
    assert (shown["sha256"], shown["is_kept"]) == (waiting["sha256"], False)


def test_imports_and_uploads_share_the_store(client: TestClient, datasets: Datasets) -> None:
    datasets.add(incoming((drawn_png(100), "normal"), split="test"), source="import", takes_new_classes=True)

    response = send(client, *copies_of(100).values(), drawn_png(7), label="adenocarcinoma")
    assert statuses(response) == [("refused", "holdout-image")] * 5 + [("accepted", None)]
