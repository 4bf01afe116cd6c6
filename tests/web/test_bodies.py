"""JSON bodies are read in one way or refused with a problem."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from hilum.web.bodies import parsed
from hilum.web.refusals import RequestInvalid


class _Shape(BaseModel):
    """Takes what it does not know, so that nothing but the reader refuses it."""

    name: str = ""


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a", "name": "b"}',
        b'{"n\\u0061me": "a", "name": "b"}',
        b'{"x": [{"y": 1, "y": 1}]}',
        b"",
        b"[" * 9999,
    ],
)
def test_a_member_that_is_there_twice_is_refused_at_any_depth(body: bytes) -> None:
    with pytest.raises(RequestInvalid):
        parsed(_Shape, body)


def test_a_number_of_any_length_is_no_failure() -> None:
    assert parsed(_Shape, b'{"name": "a", "x": ' + b"9" * 4000 + b', "y": -1e999}').name == "a"
    with pytest.raises(RequestInvalid):
        parsed(_Shape, b'{"name": ' + b"9" * 10_000 + b"}")
