"""Tells OpenAPI how callers are let in, and which role each operation needs. Knows the table, not the guard."""

from __future__ import annotations

import json
import threading
from functools import cache
from typing import Any

from fastapi import FastAPI

from hilum.web.access_table import ACCESS, PUBLIC
from hilum.web.auth import SESSION_COOKIE
from hilum.web.routes.openapi import problems

_SCHEMES: dict[str, Any] = {
    "key": {"type": "http", "scheme": "bearer", "description": "an API key, from `hilum keys create`"},
    "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description": "of the dashboard"},
}


def describe_access(app: FastAPI) -> None:
    """Makes the application's OpenAPI name roles and the answers of refused callers.

    `app.state.description` gives it in JSON. To make it the first time takes a core for a fifth of a second.
    """
    describe, making = app.openapi, threading.Lock()

    def described() -> dict[str, Any]:
        with making:
            if app.openapi_schema is None:
                _add_access(describe())
            return describe()

    app.openapi = described  # type: ignore[method-assign]
    app.state.description = cache(lambda: json.dumps(described(), ensure_ascii=False, separators=(",", ":")).encode())


def _add_access(schema: dict[str, Any]) -> None:
    schema["components"]["securitySchemes"] = _SCHEMES
    refused = {str(status): _described(answer) for status, answer in problems(401, 403, 429, 503).items()}
    invalid, malformed = _described(problems(422)[422]), {"400": _described(problems(400)[400])}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if "HTTPValidationError" in str(operation["responses"].get("422")):  # FastAPI's own, which is never sent
                operation["responses"]["422"] = invalid
            operation["responses"] = dict(sorted((malformed | operation["responses"]).items()))
            role = ACCESS[path][method.upper()]
            if role is PUBLIC:
                continue
            operation["security"] = [{"key": []}, {"session": []}]
            operation["description"] = f"{operation.get('description', '')} Needs the role `{role}`.".strip()
            operation["responses"] = dict(sorted((refused | operation["responses"]).items()))


def _described(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "model"}
