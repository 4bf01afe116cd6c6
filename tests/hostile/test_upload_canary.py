"""H57 for labelled images: what names a person in an uploaded file is in no row, blob, answer, log or snapshot."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from canaries import CANARY, CANARY_FILES, canary_dicom
from dicom_files import dicom
from hilum.services.dataset_desk import DatasetDesk
from hilum.services.decoding import Decoders
from hilum.services.model import load_model
from hilum.services.prediction import PredictionService
from hilum.web.app import create_app
from labelled_samples import opened_datasets
from raster_files import tiff
from zip_files import pack

_TEXT = CANARY[:9].encode()


def _holding(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and _TEXT in path.read_bytes()]


def test_nothing_of_an_upload_names_a_person(
    tiny_bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = [make() for make in CANARY_FILES.values()]
    burned_in = canary_dicom({0x00280301: ("CS", "YES"), 0x00281052: ("DS", "-900")})
    assert all(_TEXT in data for data in (*files, burned_in))
    archive = pack(*((f"normal/{CANARY}-{n}.png", data) for n, data in enumerate(files)))
    service = PredictionService(lambda: load_model(tiny_bundle), decoders=Decoders("codecs"))
    caplog.set_level(logging.DEBUG)
    with opened_datasets(f"sqlite:///{tmp_path / 'hilum.db'}", tmp_path / "blobs", is_audited=True) as datasets:
        app = create_app(service, datasets=DatasetDesk(datasets), allowed_hosts=frozenset({"localhost"}))
        with TestClient(app, base_url="http://localhost") as client:
            assert service.loaded.wait(20)
            sent = client.post("/upload-data", files={"files": (f"{CANARY}.zip", archive)})
            marked = client.post("/upload-data", files={"files": (CANARY, burned_in)}, data={"label": "normal"})
            listed = client.get("/dataset/images").text + client.get("/dataset").text
            metrics = client.get("/metrics", headers={"accept": "text/plain"}).text

    assert (sent.status_code, marked.status_code) == (201, 201)
    assert marked.json()["items"][0]["code"] == "burned-in-annotation"
    assert sum(item["status"] in {"accepted", "duplicate"} for item in sent.json()["items"]) >= len(files) - 3
    assert CANARY[:9] not in sent.text + marked.text + listed + metrics + caplog.text
    assert _holding(tmp_path) == []


def test_codecs_run_in_processes_that_may_be_lost(tiny_bundle: Path, tmp_path: Path) -> None:
    decoders = Decoders("codecs")
    service = PredictionService(lambda: load_model(tiny_bundle), decoders=decoders)
    with opened_datasets(f"sqlite:///{tmp_path / 'hilum.db'}", tmp_path / "blobs") as datasets:
        app = create_app(service, datasets=DatasetDesk(datasets), allowed_hosts=frozenset({"localhost"}))
        with TestClient(app, base_url="http://localhost") as client:
            assert service.loaded.wait(20)
            assert decoders.pids == ()
            sent = client.post(
                "/upload-data", files=[("files", ("a", tiff())), ("files", ("b", dicom()))], data={"label": "normal"}
            )
            assert len(decoders.pids) == 1
    assert {item["status"] for item in sent.json()["items"]} <= {"accepted", "duplicate"}


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "'; DROP TABLE labelled_images; --", "=cmd|' /C calc'!A0"]
)
def test_hostile_labels_and_groups_are_text(tiny_bundle: Path, tmp_path: Path, text: str) -> None:
    service = PredictionService(lambda: load_model(tiny_bundle))
    with opened_datasets(f"sqlite:///{tmp_path / 'hilum.db'}", tmp_path / "blobs") as datasets:
        app = create_app(service, datasets=DatasetDesk(datasets), allowed_hosts=frozenset({"localhost"}))
        with TestClient(app, base_url="http://localhost") as client:
            assert service.loaded.wait(20)
            sent = client.post(
                "/upload-data",
                files={"files": ("a", dicom())},
                data={"label": text, "group": text, "new_classes": "true"},
            )
            (image,) = client.get("/dataset/images").json()["items"]
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["x-content-type-options"] == "nosniff"
    assert image["class_name"].replace("_", "").isalnum()
    assert image["group"] == text
