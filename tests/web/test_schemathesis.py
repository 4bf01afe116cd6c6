"""Whatever the API's own description allows, and what it forbids, is answered as it says: Schemathesis, all checks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.schemas import OpenApiSchema
from web_serving import open_history, tiny_service

from hilum.web.app import create_app

_EXAMPLES = int(os.environ.get("HILUM_SCHEMATHESIS_EXAMPLES", "15"))
"""For each operation; `make fuzz` asks for more."""


@pytest.fixture(scope="module")
def api(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenApiSchema]:
    """The description of an app with a history, which is asked without a socket."""
    folder = tmp_path_factory.mktemp("schemathesis")
    history = open_history(f"sqlite:///{folder / 'hilum.db'}", folder / "blobs")
    service = tiny_service(tiny_bundle)
    app = create_app(service, history=history)
    from starlette.testclient import TestClient

    with TestClient(app):
        service.loaded.wait(10)
        yield schemathesis.openapi.from_asgi("/openapi.json", app)


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_description_holds(case: schemathesis.Case) -> None:
    case.call_and_validate()
