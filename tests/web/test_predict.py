"""`POST /predict`: a slice in, an answer out, and every way a body can be wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from web_serving import END, MULTIPART, HeldPredictor, part, serving, tiny_service

from hilum.services.model import ServedModel, load_model
from hilum.services.prediction import PredictionService
from hilum.services.workers import Workers
from hilum.web.upload_limits import UploadLimits

CLASS_NAMES = {"adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma"}


def test_answers_a_slice(client: TestClient, slice_png: bytes) -> None:
    response = client.post("/predict", files={"file": ("a.png", slice_png, "image/png")})

    assert response.status_code == 200
    answer = response.json()
    assert set(answer["probabilities"]) == CLASS_NAMES
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert answer["predicted_class"] == max(answer["probabilities"], key=answer["probabilities"].get)
    assert answer["cancer_probability"] == pytest.approx(1 - answer["probabilities"]["normal"])
    assert answer["decision"] in {"confident", "review"}
    assert answer["prediction_set"][0] == answer["predicted_class"]
    assert len(answer["prediction_set"]) == 1 or answer["decision"] == "review"
    assert answer["model_version"] == "tiny-20260101-00000000"
    assert answer["latency_ms"] > 0


def test_the_same_slice_gets_the_same_answer_under_another_id(client: TestClient, slice_png: bytes) -> None:
    first, second = (client.post("/predict", files={"file": ("a.png", slice_png)}).json() for _ in range(2))

    assert first["probabilities"] == second["probabilities"]
    assert first["id"] != second["id"]


def test_shows_the_heat_map_and_the_slice_of_a_recent_answer(client: TestClient, slice_png: bytes) -> None:
    answer_id = client.post("/predict", files={"file": ("a.png", slice_png)}).json()["id"]

    heat = client.get(f"/predictions/{answer_id}/explanation")
    shown = client.get(f"/predictions/{answer_id}/slice")

    picture = cv2.imdecode(np.frombuffer(heat.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert heat.headers["content-type"] == "image/png"
    assert picture.shape == (512, 512, 4)
    assert picture[0, 0, 3] == 0
    assert picture[..., 3].max() > 200
    grey = cv2.imdecode(np.frombuffer(shown.content, np.uint8), cv2.IMREAD_UNCHANGED)
    original = cv2.imdecode(np.frombuffer(slice_png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(grey, original)


def test_explains_as_json_where_accept_says_so(client: TestClient, slice_png: bytes) -> None:
    answer = client.post("/predict", files={"file": ("a.png", slice_png)}).json()

    shown = client.get(f"/predictions/{answer['id']}/explanation", headers={"accept": "application/json"}).json()

    assert shown["predicted_class"] == answer["predicted_class"]
    assert max(max(row) for row in shown["grid"]) == 1
    assert shown["slice"] == {"height": 512, "width": 512}
    assert 0 <= shown["body"]["top"] < shown["body"]["bottom"] <= 512


@pytest.mark.parametrize("answer_id", ["nope", "../../etc/passwd", "%00", "x" * 4000])
def test_an_unknown_answer_has_no_pictures(client: TestClient, answer_id: str) -> None:
    for picture in ("explanation", "slice"):
        response = client.get(f"/predictions/{answer_id}/{picture}")
        assert response.status_code == 404
        assert response.json()["code"] in {"prediction-not-found", "not-found"}


def test_only_the_newest_answers_are_kept(client: TestClient, slice_png: bytes) -> None:
    oldest, *_, newest = [client.post("/predict", files={"file": ("a.png", slice_png)}).json() for _ in range(65)]

    assert client.get(f"/predictions/{oldest['id']}/slice").json()["code"] == "prediction-not-found"
    assert client.get(f"/predictions/{newest['id']}/slice").status_code == 200


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (END, MULTIPART, 422, "file-missing"),
        (part(b"x", name="image") + END, MULTIPART, 422, "file-missing"),
        (part(b"x", filename=None) + END, MULTIPART, 422, "file-missing"),
        (part(b"x") + part(b"y") + END, MULTIPART, 422, "too-many-files"),
        (part(b"", name="note", filename=None) * 21 + END, MULTIPART, 400, "multipart-limits"),
        (part(b"x", extra=b"X-Odd: " + b"a" * 9000 + b"\r\n") + END, MULTIPART, 400, "multipart-limits"),
        (part(b"x", extra=b"X-Odd: 1\r\n" * 40) + END, MULTIPART, 400, "multipart-limits"),
        (part(b"x", filename="n" * 9000) + END, MULTIPART, 400, "multipart-limits"),
        (part(b"x" * 1_000_001, name="note", filename=None) + END, MULTIPART, 400, "multipart-limits"),
        (part(b"x"), MULTIPART, 400, "multipart-malformed"),
        (b"", MULTIPART, 400, "multipart-malformed"),
        (b"no boundary here", MULTIPART, 400, "multipart-malformed"),
        (b"x" + part(b"x") + END, MULTIPART, 400, "multipart-malformed"),
        (END, {"content-type": "multipart/form-data"}, 400, "multipart-malformed"),
        (END, {"content-type": "multipart/form-data; boundary=" + "b" * 71}, 400, "multipart-malformed"),
        (b"{}", {"content-type": "application/json"}, 415, "not-multipart"),
        (b"x", {}, 415, "not-multipart"),
        (part(b"x") + END, MULTIPART | {"content-encoding": "gzip"}, 415, "content-encoding"),
        (part(b"") + END, MULTIPART, 422, "empty-file"),
        (part(b"<svg/>") + END, MULTIPART, 415, "unsupported-media-type"),
    ],
)
def test_refuses_a_body_it_cannot_use(
    client: TestClient, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    response = client.post("/predict", content=body, headers=headers)

    assert (response.status_code, response.json()["code"]) == (status, code)


def test_takes_other_fields_beside_the_file(client: TestClient, slice_png: bytes) -> None:
    body = part(b"hello", name="note", filename=None) + part(slice_png) + END

    assert client.post("/predict", content=body, headers=MULTIPART).status_code == 200


def test_the_file_arrives_whole_however_it_is_cut(client: TestClient, slice_png: bytes) -> None:
    body = part(slice_png) + END
    whole = client.post("/predict", content=body, headers=MULTIPART).json()

    cut = client.post(
        "/predict", content=(body[i : i + 977] for i in range(0, len(body), 977)), headers=MULTIPART
    ).json()

    assert cut["probabilities"] == whole["probabilities"]


@pytest.fixture(scope="module")
def strict_client(tiny_bundle: Path) -> Iterator[TestClient]:
    limits = UploadLimits(body_bytes=100_000, held_bytes=50_000, grace_s=0.3, bytes_per_s=1_000_000)
    with serving(tiny_service(tiny_bundle), limits=limits) as client:
        yield client


def test_refuses_a_body_declared_too_large_without_reading_it(strict_client: TestClient) -> None:
    def never() -> Iterator[bytes]:
        pytest.fail("the body was read")
        yield b""

    response = strict_client.post("/predict", content=never(), headers=MULTIPART | {"content-length": "4294967296"})

    assert response.status_code == 413
    assert response.json() | {"limit": 100_000, "actual": 4294967296} == response.json()


def test_refuses_a_body_that_grows_too_large(tiny_bundle: Path) -> None:
    with serving(tiny_service(tiny_bundle), limits=UploadLimits(body_bytes=100_000)) as client:
        response = client.post("/predict", content=iter([part(b"x" * 90_000), b"y" * 20_000]), headers=MULTIPART)

    assert (response.status_code, response.json()["code"]) == (413, "body-too-large")


def test_bounds_the_memory_of_all_uploads_together(strict_client: TestClient) -> None:
    for _ in range(2):
        response = strict_client.post("/predict", content=part(b"x" * 60_000) + END, headers=MULTIPART)
        assert (response.status_code, response.json()["code"]) == (503, "too-many-uploads")
        assert response.headers["retry-after"] == "2"

    small = strict_client.post("/predict", content=part(b"") + END, headers=MULTIPART)
    assert small.json()["code"] == "empty-file"


def test_overload_is_refused_at_once_and_what_was_admitted_is_answered(tiny_bundle: Path, slice_png: bytes) -> None:
    model = load_model(tiny_bundle)
    held = HeldPredictor(model)
    service = PredictionService(lambda: ServedModel(held), workers=Workers(threads=1, max_waiting=1))
    statuses = []
    with serving(service) as client:

        def send() -> None:
            statuses.append(client.post("/predict", files={"file": ("a.png", slice_png)}).status_code)

        senders = [threading.Thread(target=send) for _ in range(2)]
        for sender in senders:
            sender.start()
        held.entered.wait(10)
        while service.workers.admitted < 2:
            threading.Event().wait(0.01)
        refused = client.post("/predict", files={"file": ("a.png", slice_png)})
        live = client.get("/health/live")
        held.release.set()
        for sender in senders:
            sender.join(20)

    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["limit"] == 2
    assert live.status_code == 200
    assert statuses == [200, 200]
