"""A picture that is no chest CT, as a client of the API meets the refusal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from web_serving import serving, tiny_service

from gated_bundle import gated_copy


@pytest.fixture(scope="module")
def gated_client(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    bundle = gated_copy(tiny_bundle, tmp_path_factory.mktemp("gated") / "bundle")
    with serving(tiny_service(bundle)) as client:
        yield client


def bright_png() -> bytes:
    picture = np.full((160, 160), 255, np.uint8)
    picture[::10, ::10] = 0
    return cv2.imencode(".png", picture)[1].tobytes()


def test_another_picture_is_a_problem_with_reasons(gated_client: TestClient) -> None:
    response = gated_client.post("/predict", files={"file": ("holiday.png", bright_png())})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["code"] == "not-a-chest-ct"
    assert problem["detail"] == "The picture looks like a photo, not like an axial chest CT slice."
    assert problem["reasons"][0] == "looks like a photo"
    assert problem["actual"] < problem["limit"]
    assert "holiday" not in response.text


def test_a_slice_is_answered(gated_client: TestClient, slice_png: bytes) -> None:
    response = gated_client.post("/predict", files={"file": ("slice.png", slice_png)})
    assert response.status_code == 200
    assert "unusual-for-a-chest-ct" not in response.json()["warnings"]


def test_health_says_whether_there_is_a_gate(gated_client: TestClient, client: TestClient) -> None:
    assert gated_client.get("/health").json()["has_gate"] is True
    assert client.get("/health").json()["has_gate"] is False


def test_the_refusal_is_documented(client: TestClient) -> None:
    described = client.get("/problems/not-a-chest-ct", headers={"accept": "application/json"}).json()
    assert described["status"] == 422
    assert "chest" in described["remedy"]
    responses = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["responses"]
    assert "`not-a-chest-ct`" in responses["422"]["description"]
