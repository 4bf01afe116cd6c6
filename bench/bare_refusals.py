"""Refuses every request on Granian alone: the least that a refusal can cost behind that server."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

_BODY = b'{"title": "all cores are busy"}'
_START = {"type": "http.response.start", "status": 503, "headers": [(b"content-length", str(len(_BODY)).encode())]}
_ANSWER = {"type": "http.response.body", "body": _BODY}
_Message = MutableMapping[str, Any]


async def refuse(
    scope: _Message, receive: Callable[[], Awaitable[_Message]], send: Callable[[_Message], Awaitable[None]]
) -> None:
    """Answers 503, and reads the body so that the connection can be used again."""
    if scope["type"] == "lifespan":
        while True:
            told = await receive()
            await send({"type": f"{told['type']}.complete"})
            if told["type"] == "lifespan.shutdown":
                return
    await send(_START)
    await send(_ANSWER)
    left = int(dict(scope["headers"]).get(b"content-length", b"0"))
    while left > 0:
        left -= len((await receive())["body"])


if __name__ == "__main__":
    Granian(
        "bare",
        port=int(sys.argv[1]),
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=HTTP1Settings(max_buffer_size=64 * 1024),
        log_level=LogLevels.error,
    ).serve(target_loader=lambda: refuse, wrap_loader=False)
