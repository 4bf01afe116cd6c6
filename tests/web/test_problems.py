"""Every error is a problem document, and every kind of problem is documented."""

from __future__ import annotations

import ast
import json
import logging
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from web_serving import serving, tiny_service

import hilum
from hilum.logs import JsonFormatter
from hilum.services.model import ServedModel, load_model
from hilum.services.prediction import PredictionService
from hilum.web.problems import problem_types, sent_errors


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nope", 404, "not-found"),
        ("GET", "/static/nope.css", 404, "not-found"),
        ("GET", "/static/../app.py", 404, "not-found"),
        ("GET", "/problems/nope", 404, "not-found"),
        ("GET", "/samples/9.png", 404, "not-found"),
        ("GET", "/samples/x.png", 422, "request-invalid"),
        ("GET", "/predict", 405, "method-not-allowed"),
        ("TRACE", "/predict", 405, "method-not-allowed"),
        ("BREW", "/health", 405, "method-not-allowed"),
        ("POST", "/static/css/base.css", 405, "method-not-allowed"),
        ("HEAD", "/health", 405, "method-not-allowed"),
    ],
)
def test_every_error_is_a_problem_document(client: TestClient, method: str, path: str, status: int, code: str) -> None:
    response = client.request(method, path, headers={"accept": "*/*"})

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    if method == "HEAD":
        return
    problem = response.json()
    assert problem["code"] == code
    assert problem["type"] == f"/problems/{code}"
    assert problem["status"] == status
    assert problem["instance"] == response.headers["x-request-id"]
    assert problem["title"]
    assert problem["detail"]
    assert len(response.content) < 4096


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/nope", 404, "Compare the address with"),
        ("/models/none", 404, "registry"),
        ("/problems/nope", 404, "There is no such problem type"),
        ("/samples/x.png", 422, "number"),
        ("/predict", 405, "answers to POST only"),
    ],
)
def test_a_browser_reads_a_refusal_as_a_page(client: TestClient, path: str, status: int, says: str) -> None:
    page = client.get(path, headers={"accept": BROWSER})

    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert page.headers["vary"] == "Accept"
    assert "script-src" not in page.headers["content-security-policy"]
    assert "<style" not in page.text
    assert says in page.text
    assert page.headers["x-request-id"] in page.text
    assert 'href="/"' in page.text


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        ("text/html, application/xhtml+xml", True),
        ("application/json;q=0.9, Application/XHTML+XML, text/html", True),
        ("text/*, application/xhtml+xml, */*;q=0.1", True),
        ("text/html", False),
        ("text/html, */*;q=0.8", False),
        ("text/html;q=0, application/xhtml+xml", False),
        ("*/*", False),
        ("", False),
        ("application/problem+json, text/html", False),
        ("application/json, text/html", False),
        ("text/html;q=0.4, application/json;q=0.5", False),
        ("text/html;q=0", False),
        ("image/avif,image/webp,*/*;q=0.8", False),
    ],
)
def test_who_does_not_prefer_a_page_gets_the_document(client: TestClient, accept: str, is_page: bool) -> None:
    answer = client.get("/nope", headers={"accept": accept})

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html" if is_page else "application/problem+json")
    assert answer.headers["vary"] == "Accept"


def test_what_is_sent_is_answered_with_the_document(client: TestClient) -> None:
    answer = client.post("/nope", headers={"accept": BROWSER})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_a_page_repeats_nothing_of_an_address_as_markup(client: TestClient) -> None:
    page = client.get("/samples/<script>.png", headers={"accept": BROWSER})
    assert page.status_code == 422
    assert "<script>" not in page.text


def test_a_refused_method_names_those_allowed(client: TestClient) -> None:
    assert client.put("/predict").headers["allow"] == "POST"


def test_what_can_be_sent_is_what_is_documented() -> None:
    assert set(problem_types()) == set(sent_errors())


def test_what_is_documented_is_sent_somewhere() -> None:
    named = set()
    for module in Path(hilum.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            named |= {node.id} if isinstance(node, ast.Name) else set()
            named |= {node.attr} if isinstance(node, ast.Attribute) else set()
    assert {error.__name__ for error in sent_errors().values()} <= named


def test_each_problem_type_is_described_at_its_address(client: TestClient) -> None:
    listed = client.get("/problems").json()

    assert {kind["slug"] for kind in listed} == set(sent_errors())
    for kind in listed:
        assert client.get(f"/problems/{kind['slug']}").json() == kind
        assert kind["remedy"].endswith(".")


def test_a_browser_reads_a_problem_type_as_a_page(client: TestClient) -> None:
    page = client.get("/problems/image-corrupt", headers={"accept": "text/html,*/*;q=0.8"})

    assert page.headers["content-type"].startswith("text/html")
    assert "The image is damaged" in page.text


def test_a_file_name_comes_back_neither_in_answers_nor_in_logs(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    name = "JANE-DOE-1961<script>\u202e.png"

    with caplog.at_level(logging.DEBUG, logger="hilum"):
        response = client.post("/predict", files={"file": (name, b"<html>")})

    assert response.status_code == 415
    assert "JANE" not in response.text
    assert "JANE" not in " ".join(str(vars(record)) for record in caplog.records)


def test_an_unforeseen_error_is_bland_and_logged_once(
    tiny_bundle: Path, slice_png: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        manifest = load_model(tiny_bundle).predictor.manifest

        def predict(self, data: bytes, **_: object) -> None:
            raise RuntimeError(words)

    words = "secret /etc/path"
    service = PredictionService(lambda: ServedModel(Broken()))  # type: ignore[arg-type]
    with serving(service, raises=False) as client:
        response = client.post("/predict", files={"file": ("a.png", slice_png)})

    assert response.status_code == 500
    assert response.json()["code"] == "internal-error"
    assert "secret" not in response.text
    (logged,) = [record for record in caplog.records if record.levelname == "ERROR"]
    line = JsonFormatter().format(logged)
    assert "in predict" in line
    assert words not in line


def test_refused_inputs_are_counted_by_code_and_what_a_page_asks_in_vain_is_not(tiny_bundle: Path) -> None:
    with serving(tiny_service(tiny_bundle)) as client:
        client.post("/predict", files={"file": ("a.png", b"")})
        assert client.get("/predictions/none").status_code == 404
        exposition = client.get("/metrics", headers={"accept": "text/plain"}).text

    counted = [line for line in exposition.splitlines() if line.startswith("input_rejected_total{")]
    assert counted == ['input_rejected_total{code="empty-file"} 1.0']


def test_a_model_that_cannot_be_served_says_so(tmp_path: Path, slice_png: bytes) -> None:
    with serving(tiny_service(tmp_path)) as client:
        ready, health = client.get("/health/ready"), client.get("/health")
        predicted = client.post("/predict", files={"file": ("a.png", slice_png)})
        measured = client.get("/metrics")

    assert (ready.status_code, ready.json()["code"]) == (503, "model-unavailable")
    assert health.status_code == 200
    assert health.json()["status"] == "degraded"
    assert predicted.json()["code"] == measured.json()["code"] == "model-unavailable"


def test_a_changed_bundle_is_not_served(tiny_bundle: Path, tmp_path: Path) -> None:
    for file in tiny_bundle.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["golden"]["model.onnx"][0]["probabilities"] = [1, 0, 0, 0]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))

    with serving(tiny_service(tmp_path)) as client:
        assert client.get("/health/ready").json()["code"] == "model-unavailable"
