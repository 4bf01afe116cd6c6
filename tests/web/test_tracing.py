"""Traces: one span for a request, its stages inside, nothing of the client's; and not imported unless asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import ValidationError
from web_serving import HOSTS, open_history, tiny_service

from hilum.settings import Settings
from hilum.web.app import create_app
from hilum.web.tracing import Tracing

_TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """Keeps spans."""
    return InMemorySpanExporter()


@pytest.fixture
def client(exporter: InMemorySpanExporter, tiny_bundle: Path, tmp_path: Path) -> Iterator[TestClient]:
    """A client of an app that makes traces."""
    history = open_history(f"sqlite:///{tmp_path / 'hilum.db'}", tmp_path / "blobs")
    service = tiny_service(tiny_bundle)
    app = create_app(service, history=history, tracing=Tracing(exporter), allowed_hosts=HOSTS)
    with TestClient(app, base_url="http://localhost") as client:
        service.loaded.wait(10)
        yield client


def test_a_prediction_is_a_span_with_its_stages(
    client: TestClient, exporter: InMemorySpanExporter, slice_png: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"traceparent": f"00-{_TRACE}-b7ad6b7169203331-01"}
    with caplog.at_level("INFO", logger="hilum.access"):
        answer = client.post("/predict?similar=0", files={"file": ("JANE.png", slice_png)}, headers=headers)
        client.get("/nowhere/JANE")
    assert answer.status_code == 200
    client.__exit__(None, None, None)  # what waits is sent

    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) == {"POST /predict", "GET unmatched", "upload", "wait", "compute", "store"}
    request = spans["POST /predict"]
    assert f"{request.context.trace_id:032x}" == _TRACE
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["hilum.request_id"] == answer.headers["x-request-id"]
    for stage in ("upload", "wait", "compute", "store"):
        parent = spans[stage].parent
        assert parent is not None
        assert parent.span_id == request.context.span_id
    compute = spans["compute"]
    assert compute.start_time is not None
    assert compute.end_time is not None
    assert compute.end_time > compute.start_time
    assert "JANE" not in " ".join(span.to_json() for span in spans.values())
    assert getattr(caplog.records[0], "trace_id", None) == _TRACE


def test_nothing_is_imported_unless_asked_for() -> None:
    # FastAPI itself imports the empty shell that is opentelemetry.api, where it is installed.
    wanted = "{'opentelemetry.sdk', 'hilum.web.tracing'}"
    code = f"import sys, hilum.web.app, hilum.web.server; print({wanted} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://collector", "http://collector/path"])
def test_an_endpoint_is_an_address(endpoint: str) -> None:
    with pytest.raises(ValidationError):
        Settings(otlp_endpoint=endpoint)
