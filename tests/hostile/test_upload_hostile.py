"""Zips of labelled images that mean harm: refused whole with nothing kept, or reported file by file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from archive_cases import ARCHIVE_CASES, ArchiveCase
from fastapi.testclient import TestClient
from refusal_counts import refusal_counts

from hilum.services.dataset_desk import DatasetDesk
from hilum.services.model import load_model
from hilum.services.prediction import PredictionService
from hilum.web.app import create_app
from labelled_samples import drawn_png, opened_datasets


@pytest.fixture
def client(tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A client of an app that takes labelled images; temporary files have a folder of their own."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    service = PredictionService(lambda: load_model(tiny_bundle))
    with opened_datasets(f"sqlite:///{tmp_path / 'hilum.db'}", tmp_path / "blobs") as datasets:
        app = create_app(service, datasets=DatasetDesk(datasets), allowed_hosts=frozenset({"localhost"}))
        with TestClient(app, base_url="http://localhost") as client:
            service.loaded.wait(10)
            yield client


def predict(client: TestClient) -> dict[str, float]:
    """What a plain slice gets."""
    answer: dict[str, float] = client.post("/predict", files={"file": ("a.png", drawn_png(78))}).json()["probabilities"]
    return answer


@pytest.mark.parametrize("case", ARCHIVE_CASES, ids=str)
def test_each_archive_gets_its_answer(client: TestClient, case: ArchiveCase, tmp_path: Path) -> None:
    data = case.make()
    assert len(data) < 10_000_000
    golden, counted = predict(client), refusal_counts(client)

    response = client.post("/upload-data", files={"files": ("JANE.zip", data)})
    answer = response.json()

    assert predict(client) == golden
    assert (response.status_code, answer.get("code")) == (case.status, case.code), response.text
    assert "JANE" not in response.text
    if case.status == 201:
        assert tuple(item["status"] for item in answer["items"]) == case.statuses
        return
    assert len(response.content) <= 4096
    assert refusal_counts(client) == counted | {case.code: counted.get(case.code, 0) + 1}
    assert list((tmp_path / "scratch").iterdir()) == []
    assert not [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    with sqlite3.connect(tmp_path / "hilum.db") as rows:
        for table in ("labelled_images", "upload_batches"):
            assert rows.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    rows.close()
    after = client.post("/upload-data", files={"files": ("a.png", drawn_png(77))}, data={"label": "normal"})
    assert after.status_code == 201
