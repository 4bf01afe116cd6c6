"""Values in requests, as their description means them. Knows no request."""

from __future__ import annotations

from typing import Any

from pydantic import BeforeValidator
from pydantic.json_schema import SkipJsonSchema


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""For a strict integer: in JSON Schema 5.0 is one too (draft 2020-12, validation 6.1.1); "5" and true are not."""

LeftOut = SkipJsonSchema[None]
"""In place of `None` for what a query or form may leave out: nothing there is a null, so OpenAPI must offer none."""
