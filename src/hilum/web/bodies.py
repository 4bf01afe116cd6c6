"""Reads JSON bodies into shapes. Knows no route."""

from __future__ import annotations

import json
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from hilum.web.refusals import RequestInvalid
from hilum.web.uploads import UploadReader

Shape = TypeVar("Shape", bound=BaseModel)


def parsed(kind: type[Shape], body: bytes) -> Shape:
    """The body as `kind`.

    Raises:
        RequestInvalid: it is no JSON, or of another shape; the message names the first fault.
    """
    try:
        found = kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RequestInvalid(f"body{'.' if place else ''}{place}: {first['msg']}"[:300]) from error
    check_members(body)
    return found


def check_members(body: bytes) -> None:
    """Returns where no object in a body of JSON names a member twice: pydantic takes the last, others the first.

    Raises:
        RequestInvalid: one does.
    """
    json.loads(body, object_pairs_hook=_require_once, parse_int=str)


def _require_once(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise RequestInvalid("body: a member is there twice")


async def optional_json(request: Request, uploads: UploadReader) -> bytes:
    """Reads a body in JSON; one that was left out asks for nothing in particular.

    Raises:
        RequestRefused: a leaf that says what is wrong with the request.
    """
    is_absent = "content-type" not in request.headers and request.headers.get("content-length", "0") == "0"
    if is_absent and "transfer-encoding" not in request.headers:
        return b"{}"
    return await uploads.read_json(request)
