"""Whatever the API's own description allows, and what it forbids, is answered as it says: Schemathesis, all checks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.mutations import Mutation, OperatorKind
from schemathesis.generation.meta import FuzzingPhaseData
from schemathesis.specs.openapi.schemas import OpenApiSchema

import raster_files as img
from hilum.services.keys import Role, create_key
from hilum.services.prediction import PredictionService
from hilum.storage.database import Database
from hilum.storage.schema import upgrade
from hilum.web.app import create_app
from server_process import running_server

_EXAMPLES = int(os.environ.get("HILUM_SCHEMATHESIS_EXAMPLES", "6"))
"""Of each kind, valid and not, for each operation; `make fuzz` asks for more."""

_METHODS = {"get", "post", "put", "delete", "patch"}
_BY_DESIGN = ["2xx", "3xx", "401", "403", "404", "409", "422", "429", "503"]
_CONFIG = {
    # The right key replaces whatever else would be sent in its place; `ignored_auth` sends wrong ones and none.
    "generation": {"with-security-parameters": False},
    # What a schema cannot say: a cursor is what a page named, and a label may be left out where a zip has folders.
    "operations": [
        {"include-path": path, "checks": {"positive_data_acceptance": {"expected-statuses": _BY_DESIGN}}}
        for path in ("/dataset/images", "/training-runs", "/upload-data", "/batches", "/predictions")
    ],
    # A server without a training worker says so: 503 is in its description.
    "checks": {"not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503"]}},
}


def _operations() -> list[tuple[str, str]]:
    app = create_app(PredictionService(lambda: pytest.fail("not started")))
    return [(method, path) for path, row in app.openapi()["paths"].items() for method in row if method in _METHODS]


@dataclass
class Api:
    """A real server's description, and a key that may do everything."""

    schema: OpenApiSchema
    key: str


@pytest.fixture(scope="module")
def api(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A real server that asks for keys."""
    folder = tmp_path_factory.mktemp("schemathesis")
    database = Database(f"sqlite:///{folder / 'hilum.db'}")
    upgrade(database)
    key = create_key(database, "schemathesis", Role.ADMINISTER).token
    database.close()
    asks = {
        "HILUM_DATABASE_URL": f"sqlite:///{folder / 'hilum.db'}",
        "HILUM_API_KEYS_REQUIRED": "true",
        "HILUM_RATE_LIMIT": "0",
    }
    schemathesis.openapi.format("binary", st.just(img.png()))
    with running_server(tiny_bundle, folder / "log", asks) as running:
        config = schemathesis.Config.from_dict(_CONFIG)
        yield Api(schemathesis.openapi.from_url(f"http://127.0.0.1:{running.port}/openapi.json", config=config), key)


def _is_valid_once_sent(case: schemathesis.Case) -> bool:
    """Whether all that is wrong with a form is gone once it is sent: there false, for a text, is the text "false", and
    an empty list is no part at all."""
    found = case.meta.phase.data if case.meta is not None else None
    return (
        case.media_type == "multipart/form-data"
        and isinstance(case.body, dict)
        and isinstance(found, FuzzingPhaseData)
        and bool(found.mutations)
        and all(_is_undone(case, one) for one in found.mutations)
    )


def _is_undone(case: schemathesis.Case, mutation: Mutation) -> bool:
    assert isinstance(case.body, dict)
    form = case.operation.get_body_for_media_type(case.media_type)
    if "additionalProperties" in mutation.keywords and form is not None:
        return all(value == [] for name, value in case.body.items() if name not in form.form_properties)
    if mutation.operator is not OperatorKind.CHANGE_TYPE:
        return False
    value = case.body.get(mutation.parameter)
    return value == [] or (mutation.original_value == "string" and not (isinstance(value, list) and len(value) > 1))


@pytest.fixture(autouse=True)
def wrong_keys_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets `ignored_auth` take 429 for a refusal: the twenty-first wrong key in a minute gets no 401, and nothing else
    here gets a 429, as nothing limits how often the right key asks."""
    refusals = {401, 403, 429}
    monkeypatch.setattr(schemathesis.specs.openapi.checks, "AUTH_REJECTION_STATUSES", refusals)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize(("method", "path"), [pytest.param(*one, id=" ".join(one)) for one in _operations()])
def test_the_description_holds(api: Api, method: str, path: str, mode: GenerationMode) -> None:
    operation = api.schema[path][method]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),
        database=None,
    )
    def ask(case: schemathesis.Case) -> None:
        assume(not _is_valid_once_sent(case))
        case.call_and_validate(timeout=30, headers={"Authorization": f"Bearer {api.key}"})

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "nothing valid can be made"  # it takes nothing that could be wrong
