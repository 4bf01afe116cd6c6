"""A body that comes too slowly, or stops, is given up. H69."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from http_cases import part
from starlette.requests import Request
from starlette.types import Message

from hilum.web.refusals import BodyTooLarge, UploadTimeout
from hilum.web.upload_limits import UploadLimits
from hilum.web.uploads import UploadReader

_LIMITS = UploadLimits(grace_s=0.2, bytes_per_s=10_000)


def _request(pause_s: float, chunk: bytes, *, at_once: int = 0) -> Request:
    """A request whose body comes in chunks, each after a pause; so much of it comes at once."""
    first = [part(bytes(at_once))[:-2]]

    async def receive() -> Message:
        await asyncio.sleep(0 if first and at_once else pause_s)
        return {"type": "http.request", "body": first.pop() if first else chunk, "more_body": True}

    headers = [(b"content-type", b"multipart/form-data; boundary=b0undary")]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


@pytest.mark.parametrize(
    ("pause_s", "at_once"),
    [(0.01, 0), (30, 0), (30, 2_000_000), (0.01, 2_000_000)],
    ids=["drips", "stalls", "stalls-nearly-whole", "drips-nearly-whole"],
)
def test_is_given_up(pause_s: float, at_once: int) -> None:
    reader = UploadReader(_LIMITS)
    with pytest.raises(UploadTimeout):
        asyncio.run(asyncio.wait_for(reader.read_file(_request(pause_s, b"x", at_once=at_once)), 10))
    assert reader._held_bytes == 0


def test_a_body_that_keeps_the_rate_is_read_to_its_limit() -> None:
    reader = UploadReader(replace(_LIMITS, body_bytes=8_000))
    with pytest.raises(BodyTooLarge):  # 0.8 s at the least rate, four times the grace
        asyncio.run(asyncio.wait_for(reader.read_file(_request(0.01, bytes(200))), 10))
