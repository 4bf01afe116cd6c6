"""A body that comes too slowly, or stops, is given up. H69."""

from __future__ import annotations

import asyncio

import pytest
from http_cases import part
from starlette.requests import Request
from starlette.types import Message

from hilum.web.refusals import UploadTimeout
from hilum.web.upload_limits import UploadLimits
from hilum.web.uploads import UploadReader

_LIMITS = UploadLimits(grace_s=0.2, bytes_per_s=10_000)


def _request(pause_s: float, chunk: bytes) -> Request:
    """A request whose body comes in chunks, each after a pause."""
    first = [part(b"")[:-2]]

    async def receive() -> Message:
        await asyncio.sleep(pause_s)
        return {"type": "http.request", "body": first.pop() if first else chunk, "more_body": True}

    headers = [(b"content-type", b"multipart/form-data; boundary=b0undary")]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


@pytest.mark.parametrize(("pause_s", "chunk"), [(0.01, b"x"), (30, b"x")], ids=["drips", "stalls"])
def test_is_given_up(pause_s: float, chunk: bytes) -> None:
    reader = UploadReader(_LIMITS)
    with pytest.raises(UploadTimeout):
        asyncio.run(asyncio.wait_for(reader.read_file(_request(pause_s, chunk)), 10))
    assert reader._held_bytes == 0
