"""Health, metrics, limits, headers, documentation: what operators and browsers rely on."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi.openapi.utils import get_openapi
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from web_serving import HeldPredictor, serving

from hilum.inference.bundle import add_to_bundle
from hilum.inference.measured_answers import ANSWERS, MeasuredAnswer, MeasuredAnswers
from hilum.logs import JsonFormatter, log_config
from hilum.services.model import ServedModel, load_model
from hilum.services.prediction import PredictionService
from hilum.web.access_table import ACCESS, PAGES, routes_of
from hilum.web.negotiation import preferred


def test_health_tells_versions_and_the_model(client: TestClient) -> None:
    health = client.get("/health").json()

    assert health["status"] == "ok"
    assert health["model_version"] == "tiny-20260101-00000000"
    assert set(health["versions"]) == {"hilum", "python", "onnxruntime"}
    assert health["uptime_s"] >= 0
    assert health["degraded_reasons"] == []


def test_probes_answer(client: TestClient) -> None:
    assert client.get("/health/live").json() == client.get("/health/ready").json() == {"status": "ok"}


def test_not_ready_while_the_model_loads_or_the_server_drains(tiny_bundle: Path) -> None:
    model = load_model(tiny_bundle)
    held = HeldPredictor(model)

    def load_slowly() -> ServedModel:
        assert held.release.wait(10)
        return model

    service = PredictionService(load_slowly)
    with serving(service, is_ready=False) as client:
        loading, live = client.get("/health/ready"), client.get("/health/live")
        held.release.set()
        service.loaded.wait(10)
        ready = client.get("/health/ready")
        service.drain()
        draining, health = client.get("/health/ready"), client.get("/health")

    assert [r.status_code for r in (loading, live, ready, draining, health)] == [503, 200, 200, 503, 200]
    assert loading.json()["code"] == draining.json()["code"] == "not-ready"
    assert loading.headers["retry-after"] == "1"
    assert health.json()["degraded_reasons"] == ["the server is shutting down"]


@pytest.fixture
def answered_bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle that says what it answered each image."""
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "answered"))
    names = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")
    given = [("a", (0.6, 0.4, 0.0, 0.0)), ("b", (0.9, 0.1, 0.0, 0.0)), ("c", (0.1, 0.9, 0.0, 0.0))]
    answers = tuple(
        MeasuredAnswer(
            sha256=letter * 64, true_class="normal", predicted_class=names[row.index(max(row))], probabilities=row
        )
        for letter, row in given
    )
    measured = MeasuredAnswers(split="test", dataset_digest="0" * 64, class_names=names, answers=answers)
    measured.save(bundle / ANSWERS)
    add_to_bundle(bundle, [bundle / ANSWERS])
    return bundle


def test_a_cell_of_the_confusion_matrix_leads_to_its_images(answered_bundle: Path) -> None:
    cell = {"true_class": "normal", "predicted_class": "adenocarcinoma"}
    with serving(PredictionService(partial(load_model, answered_bundle))) as client:
        found = client.get("/metrics/answers", params=cell).json()
        first = client.get("/metrics/answers", params=cell | {"limit": "1"}).json()
        none = client.get("/metrics/answers", params=cell | {"true_class": "no class"}).json()
    assert (found["total"], found["split"]) == (2, "test")
    assert [one["sha256"][0] for one in found["items"]] == ["b", "a"]
    assert found["items"][0]["probabilities"]["adenocarcinoma"] == 0.9
    assert {one["image_id"] for one in found["items"]} == {None}
    assert (first["total"], len(first["items"])) == (2, 1)
    assert (none["total"], none["items"]) == (0, [])


def test_a_bundle_without_answers_says_so(client: TestClient) -> None:
    answer = client.get("/metrics/answers", params={"true_class": "normal", "predicted_class": "normal"})
    assert (answer.status_code, answer.json()["code"]) == (404, "metrics-missing")


def test_metrics_are_the_models_measured_performance(client: TestClient, tiny_bundle: Path) -> None:
    measured = client.get("/metrics", headers={"accept": "application/json, */*;q=0.1"}).json()

    expected = json.loads((tiny_bundle / "metrics.json").read_text())
    assert measured == expected | {"model_version": "tiny-20260101-00000000"}


def test_a_model_without_measurements_has_no_metrics(tiny_bundle: Path) -> None:
    predictor = load_model(tiny_bundle).predictor
    with serving(PredictionService(lambda: ServedModel(predictor))) as client:
        response = client.get("/metrics")

    assert (response.status_code, response.json()["code"]) == (404, "metrics-missing")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/plain", "text/plain"),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text/plain"),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("image/avif", "application/json"),
    ],
)
def test_metrics_go_by_accept(client: TestClient, accept: str, content_type: str) -> None:
    response = client.get("/metrics", headers={"accept": accept})

    assert response.headers["content-type"].startswith(content_type)
    assert response.headers["vary"] == "Accept"


def test_counters_take_a_bounded_number_of_labels(client: TestClient, slice_png: bytes) -> None:
    client.post("/predict", files={"file": ("a.png", slice_png)})
    for number in range(50):
        client.get(f"/nowhere/{number}")
        client.get(f"/predictions/{number}/slice")
        client.request(f"VERB{number}", "/health")

    text = client.get("/metrics", headers={"accept": "text/plain"}).text
    families = {family.name: family for family in text_string_to_metric_families(text)}

    requests = {sample.labels["route"] for sample in families["http_requests"].samples if "route" in sample.labels}
    assert {"/predict", "/predictions/{prediction_id}/slice", "unmatched"} <= requests
    assert len(requests) < 20
    stages = {sample.labels["stage"] for sample in families["prediction_stage_seconds"].samples}
    assert stages == {"upload", "wait", "compute"}
    assert families["ready"].samples[0].value == 1
    assert {"predicted_class", "decision"} <= set(families["predictions"].samples[0].labels)
    assert len(text) < 100_000


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_every_route_refuses_the_methods_it_does_not_take(client: TestClient, method: str) -> None:
    for path, row in ACCESS.items():
        if method in row or (method, path) == ("GET", "/models/rollback"):  # a model of that name
            continue
        response = client.request(method, "/static/css/base.css" if path == "/static" else path, json={})
        assert response.status_code == 405, path
        assert set(response.headers["allow"].split(", ")) == set(row), path
        if method != "HEAD":
            assert response.json()["code"] == "method-not-allowed", path


def test_limits_are_told(client: TestClient) -> None:
    limits = client.get("/limits").json()

    assert limits["predict_body_bytes"] == 25_000_000
    assert limits["file_bytes"] == 50_000_000
    assert limits["pixels"] == 25_000_000
    assert limits["predictions_at_once"] == 1
    assert limits["predictions_waiting"] == 8


@pytest.mark.parametrize(
    "path", ["/", "/health", "/nope", "/docs", "/static/css/base.css", "/samples/1.png", "/metrics"]
)
def test_every_answer_carries_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8000", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("", 400),
    ],
)
def test_answers_only_to_its_own_names(client: TestClient, host: str, status: int) -> None:
    response = client.get("/health", headers={"host": host, "x-forwarded-host": "localhost"})

    assert response.status_code == status
    if status == 400:
        assert response.json()["code"] == "host-not-allowed"
        assert response.json()["instance"] == response.headers["x-request-id"]


def test_a_range_of_a_static_file_is_ignored(client: TestClient) -> None:
    ranges = "bytes=" + ",".join(f"{i}-{i}" for i in range(10_000))

    assert client.get("/static/css/base.css", headers={"range": ranges}).status_code == 200


@pytest.mark.parametrize("number", [1, 2, 3])
def test_samples_can_be_classified(client: TestClient, number: int) -> None:
    sample = client.get(f"/samples/{number}.png")

    assert sample.headers["content-type"] == "image/png"
    assert client.post("/predict", files={"file": ("s.png", sample.content)}).json()["warnings"] == []


def test_every_route_is_documented(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    pages = {*PAGES, "/docs", "/sign-in", "/static", "/openapi.json"}
    routes = [(path, method) for path, method in routes_of(client.app.routes) if path not in pages]  # type: ignore[attr-defined]
    assert len(routes) >= 19

    for path, method in routes:
        assert (schema["paths"][path][method.lower()].get("description") or "").endswith("."), path
    body = schema["paths"]["/predict"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert body["properties"]["file"]["format"] == "binary"
    refused = schema["paths"]["/predict"]["post"]["responses"]["413"]
    assert "image-too-large" in refused["description"]
    assert "application/problem+json" in refused["content"]


def test_the_schema_is_made_once_and_beside_the_event_loop(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    made_beside: list[bool] = []

    def make(**settings: Any) -> dict[str, Any]:
        made_beside.append(asyncio._get_running_loop() is None)
        return get_openapi(**settings)

    monkeypatch.setattr("fastapi.applications.get_openapi", make)
    monkeypatch.setattr(client.app, "openapi_schema", None)
    client.app.state.description.cache_clear()  # type: ignore[attr-defined]
    first, again = client.get("/openapi.json"), client.get("/openapi.json")
    assert first.content == again.content
    assert first.headers["content-type"] == "application/json"
    assert client.head("/openapi.json").headers["content-length"] == str(len(first.content))
    assert made_beside == [True]


def test_every_route_is_in_the_api_document() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "api.md").read_text()

    from hilum.web.app import create_app

    app = create_app(PredictionService(lambda: pytest.fail("not started")))
    for path, method in routes_of(app.routes):
        if path not in {"/static", "/openapi.json"}:
            assert f"`{method} {path}`" in documented, path


def test_pages_take_nothing_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/docs", "/problems/overloaded"):
        page = client.get(path, headers={"accept": "text/html"}).text
        assert not re.search(r"(src|href)=\"(https?:)?//", page)
        assert not re.search(r"\sstyle=|\son[a-z]+=|<script>|<style", page)


def test_the_preferred_representation_is_chosen_by_weight_and_order() -> None:
    offered = ("application/json", "text/plain")

    assert preferred(None, offered) == "application/json"
    assert preferred("text/*", offered) == "text/plain"
    assert preferred("text/plain;q=0.2, application/json;q=0.9", offered) == "application/json"
    assert preferred("text/plain;q=nonsense, */*;q=0.1", offered) == "application/json"
    assert preferred("*/*;q=0", offered) == "application/json"


def test_logs_are_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    import logging

    record = logging.LogRecord("hilum", logging.INFO, "f", 1, "two\r\nlines \x1b[31m", None, None)
    record.request_id = "abc"
    line = JsonFormatter().format(record)

    assert line.isprintable()
    assert json.loads(line)["request_id"] == "abc"
    assert log_config("debug")["loggers"]["hilum"]["level"] == "DEBUG"
