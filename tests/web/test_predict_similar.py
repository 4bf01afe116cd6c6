"""`POST /predict?similar=`: the training slices most like the one sent, where the model names them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from web_serving import serving, tiny_service

from known_bundle import phantom_png, write_known_bundle


@pytest.fixture(scope="module")
def knowing(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of an app whose model keeps a list of its training slices."""
    bundle = write_known_bundle(tiny_bundle, tmp_path_factory.mktemp("known") / "bundle")
    with serving(tiny_service(bundle)) as client:
        yield client


def test_look_alikes_are_named_where_asked_for(knowing: TestClient) -> None:
    answer = knowing.post("/predict?similar=3", files={"file": ("a.png", phantom_png(22))}).json()

    assert answer["training_match"] == "same-file"
    assert "training-image" in answer["warnings"]
    first, *others = answer["look_alikes"]
    assert first == {
        "class_name": "adenocarcinoma",
        "name": "train/<i>22</i>.png",
        "source": "phantoms",
        "similarity": pytest.approx(1, abs=1e-3),
    }
    assert len(others) == 2


def test_without_asking_only_the_file_is_recognised(knowing: TestClient) -> None:
    known = knowing.post("/predict", files={"file": ("a.png", phantom_png(22))}).json()
    unknown = knowing.post("/predict?similar=0", files={"file": ("a.png", phantom_png(3))}).json()

    assert known["training_match"] == "same-file"
    assert known["look_alikes"] is None
    assert unknown["training_match"] is None
    assert "training-image" not in unknown["warnings"]


def test_a_model_without_a_list_says_so_and_answers_otherwise(client: TestClient) -> None:
    refused = client.post("/predict?similar=5", files={"file": ("a.png", phantom_png(22))})
    answered = client.post("/predict", files={"file": ("a.png", phantom_png(22))})

    assert refused.status_code == 409
    assert refused.json()["code"] == "look-alikes-missing"
    assert "train the model again" in refused.json()["detail"]
    assert answered.status_code == 200
    assert answered.json()["training_match"] is None


@pytest.mark.parametrize("similar", ["-1", "21", "many", "1.5", ""])
def test_a_number_out_of_range_is_refused(knowing: TestClient, similar: str) -> None:
    response = knowing.post(f"/predict?similar={similar}", files={"file": ("a.png", phantom_png(22))})

    assert response.status_code == 422
    assert response.json()["code"] == "request-invalid"


def test_limits_tell_how_many_may_be_asked_for(knowing: TestClient, client: TestClient) -> None:
    assert knowing.get("/limits").json()["look_alikes"] == 20
    assert client.get("/limits").json()["look_alikes"] == 0


def test_openapi_describes_the_parameter_and_the_refusal(client: TestClient) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/predict"]["post"]

    (parameter,) = [one for one in operation["parameters"] if one["name"] == "similar"]
    assert parameter["schema"] | {"title": ""} == {
        "type": "integer", "minimum": 0, "maximum": 20, "default": 0, "title": "",
        "description": parameter["schema"]["description"],
    }  # fmt: skip
    assert "look-alikes-missing" in operation["responses"]["409"]["description"]
