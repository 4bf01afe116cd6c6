"""The same table through `POST /predict`: one problem document each, nothing leaked, and the next answer is right."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hostile_cases import HOSTILE_CASES, Case

import raster_files as img
from hilum.services.model import load_model
from hilum.services.prediction import PredictionService
from hilum.services.workers import Workers
from hilum.web.app import create_app

_MAX_PROBLEM_BYTES = 4096
_LEAKS = ("Traceback", 'File "', ".py", "site-packages", "/tmp", "/home", "<script", "passwd")


@pytest.fixture(scope="module")
def client(tiny_bundle: Path) -> Iterator[TestClient]:
    """A client of an app that serves the tiny bundle; a server error is an answer here, not an exception."""
    service = PredictionService(lambda: load_model(tiny_bundle), workers=Workers(threads=1))
    with TestClient(create_app(service), base_url="http://localhost", raise_server_exceptions=False) as client:
        for _ in range(200):
            if not service.degraded_reasons:
                break
            time.sleep(0.05)
        yield client


@pytest.fixture(scope="module")
def golden(client: TestClient) -> dict[str, float]:
    """What the plain slice gets before anything hostile was sent."""
    return _ask(client, img.png(), "slice.png")


def _ask(client: TestClient, data: bytes, filename: str) -> dict[str, float]:
    response = client.post("/predict", files={"file": (filename, data)})
    assert response.status_code == 200, response.text
    probabilities: dict[str, float] = response.json()["probabilities"]
    return probabilities


@pytest.mark.parametrize("case", HOSTILE_CASES, ids=str)
def test_gets_its_answer(client: TestClient, golden: dict[str, float], case: Case) -> None:
    data = case.make()
    started_at = time.perf_counter()
    response = client.post("/predict", files={"file": (case.filename, data)})
    took_s = time.perf_counter() - started_at

    assert response.status_code == case.status, response.text
    assert len(response.content) <= _MAX_PROBLEM_BYTES
    assert not [leak for leak in _LEAKS if leak in response.text]
    assert took_s < 5
    if case.code is None:
        assert set(case.warnings) <= set(response.json()["warnings"])
    else:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["code"] == case.code
        assert response.json()["type"] == f"/problems/{case.code}"
    assert _ask(client, img.png(), "slice.png") == pytest.approx(golden, abs=1e-6)


@pytest.mark.parametrize("case", [case for case in HOSTILE_CASES if case.twin and case.tolerance <= 1e-3], ids=str)
def test_twin_gets_the_same_prediction(client: TestClient, case: Case) -> None:
    assert case.twin is not None
    expected = _ask(client, case.twin(), case.filename)

    # Resizing rounds 8-bit slices and not 16-bit ones.
    within = 1e-3 if case.id == "H17" or "16" in case.name else 1e-6
    assert _ask(client, case.make(), case.filename) == pytest.approx(expected, abs=within)


def test_refusals_are_counted_by_code(client: TestClient) -> None:
    client.post("/predict", files={"file": ("slice.png", b"")})
    client.post("/predict", files={"file": ("slice.png", img.PNG_SIGNATURE)})

    text = client.get("/metrics", headers={"accept": "text/plain"}).text
    assert 'input_rejected_total{code="empty-file"}' in text
    assert 'input_rejected_total{code="image-corrupt"}' in text
