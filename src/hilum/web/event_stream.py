"""Server-sent events (WHATWG HTML, section 9.2) of something that changes. Knows not what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

Found = TypeVar("Found")

STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}
"""What the description says of such an answer."""


async def event_stream(name: str, changes: AsyncIterator[Found], shaped: Callable[[Found], BaseModel]) -> Response:
    """Streams changes as events `name`, shaped as JSON.

    The first is awaited before the answer begins, so that what is not there is a problem and not an empty stream.

    Raises:
        HilumError: there is nothing to watch.
    """
    first = await anext(changes)

    async def events() -> AsyncIterator[str]:
        yield _event(first)
        async for found in changes:
            yield _event(found)

    def _event(found: Found) -> str:
        return f"event: {name}\ndata: {shaped(found).model_dump_json()}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
