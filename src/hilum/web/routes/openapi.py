"""What routes tell OpenAPI beyond their signature: problem answers and multipart bodies."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from hilum.web.problems import MEDIA_TYPE, sent_errors
from hilum.web.schemas import ProblemAnswer

_FIELD_NAMES = {"pattern": "^[^\\u0000]*$"}
"""A part's name can be sent with anything but this in it."""

FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "propertyNames": _FIELD_NAMES,
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "one axial chest-CT slice: PNG, JPEG, TIFF, BMP, WebP or DICOM",
                        }
                    },
                }
            }
        },
    }
}

FILES_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "propertyNames": _FIELD_NAMES,
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "format": "binary"},
                            "description": "slices, each as for /predict, or zips of slices",
                        }
                    },
                }
            }
        },
    }
}


def form_body(shape: type[BaseModel], files: str) -> dict[str, Any]:
    """What OpenAPI is told of a form with files and the fields of `shape`."""
    schema = shape.model_json_schema()
    one = {"type": "string", "format": "binary"}
    listed = {"type": "array", "minItems": 1, "items": one, "description": files}
    schema |= {
        "propertyNames": _FIELD_NAMES,
        "required": ["files"],
        "properties": {"files": listed} | schema["properties"],
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def json_body(shape: type[BaseModel], *, is_required: bool = True) -> dict[str, Any]:
    """What OpenAPI is told of a body in JSON that the route reads itself, within limits."""
    return {
        "requestBody": {"required": is_required, "content": {"application/json": {"schema": shape.model_json_schema()}}}
    }


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI answers for the problem types that carry these statuses."""
    slugs: dict[int, list[str]] = {status: [] for status in statuses}
    for slug, error in sorted(sent_errors().items()):
        if error.status in slugs:
            slugs[error.status].append(f"`{slug}`")
    schema = {"$ref": "#/components/schemas/ProblemAnswer"}
    return {
        status: {
            "model": ProblemAnswer,
            "description": "Problem: " + ", ".join(names),
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status, names in slugs.items()
    }


_TEXTS = {"text/plain", "text/csv", "application/x-ndjson", "text/event-stream", "application/openmetrics-text"}


def also_as(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI answer 200 in further media types."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    text = {"schema": {"type": "string"}}
    return {200: {"content": {name: text if name in _TEXTS else binary for name in media_types}}}
