"""Values in requests, as their description means them. Knows no request."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

_BEGINS_WITH_A_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""For a strict integer: in JSON Schema 5.0 is one too (draft 2020-12, validation 6.1.1); "5" and true are not."""

LeftOut = SkipJsonSchema[None]
"""In place of `None` for what a query or form may leave out: nothing there is a null, so OpenAPI must offer none."""


def _dated(value: Any) -> Any:
    if isinstance(value, str) and not _BEGINS_WITH_A_DATE.match(value):
        raise ValueError("a date such as 2026-11-01, or a date and time such as 2026-11-01T10:00:00Z")
    return value


Moment = Annotated[
    datetime,
    BeforeValidator(_dated),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}),
]
"""A date and time, or a date for its first moment. Pydantic alone would take "1" for a second after 1970 began."""


def _true_or_false(value: Any) -> Any:
    if isinstance(value, str) and value.lower() not in {"true", "false"}:
        raise ValueError("true or false")
    return value


Flag = Annotated[bool, BeforeValidator(_true_or_false)]
"""Of a form, true or false and no other word; pydantic alone would take "1", "on" and "y" too."""
