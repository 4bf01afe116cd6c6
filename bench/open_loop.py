"""Sends requests at a constant rate, whether or not answers come: what a crowd of clients does. Knows HTTP/1.1 only.

A closed loop waits for a slow server and so hides how long others would have waited (coordinated omission). Here each
request has its time, and its latency counts from that time, also where the generator itself was late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

FAILED = 0
"""The status of a request without an answer."""

_CONNECTIONS = 1024
_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Sent:
    """What became of one request.

    Attributes:
        status: of the answer; `FAILED` where none came.
        latency_s: from when it was due to the end of its answer.
        late_s: from when it was due to when it was sent.
    """

    status: int
    latency_s: float
    late_s: float


class _Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.answer: asyncio.Future[int] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, ended, body = self._received.partition(b"\r\n\r\n")
        if not ended or self.answer is None or self.answer.done():
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(body) >= int(length or 0):
            self._received = b""
            self.answer.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.transport = None
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(FAILED)


class _Crowd:
    """Connections to one server, used again once they are idle."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[_Connection] = []
        self._turns = asyncio.Semaphore(_CONNECTIONS)

    async def one(self, request: bytes, due_at: float) -> Sent:
        """Sends a request at once and waits for its answer."""
        loop = asyncio.get_running_loop()
        async with self._turns:
            late_s = loop.time() - due_at
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    status = await self._exchanged(request)
            except (TimeoutError, OSError):
                status = FAILED
        return Sent(status, loop.time() - due_at, late_s)

    async def _exchanged(self, request: bytes) -> int:
        loop = asyncio.get_running_loop()
        connection = self._idle.pop() if self._idle else None
        if connection is None or connection.transport is None:
            _, connection = await loop.create_connection(_Connection, "127.0.0.1", self._port)
        if connection.transport is None:
            return FAILED
        connection.answer = loop.create_future()
        connection.transport.write(request)
        try:
            status = await connection.answer
        except asyncio.CancelledError:
            connection.transport.close()
            raise
        if connection.transport is not None:
            self._idle.append(connection)
        return status

    def leave(self) -> None:
        """Closes every connection."""
        for connection in self._idle:
            if connection.transport is not None:
                connection.transport.close()


async def send(port: int, requests: Sequence[bytes], *, rate: float, seconds: float) -> list[Sent]:
    """Sends `requests` in turn, `rate` a second, to a server on this machine."""
    loop = asyncio.get_running_loop()
    crowd = _Crowd(port)
    started_at = loop.time()
    tasks: list[asyncio.Task[Sent]] = []
    for number in range(round(rate * seconds)):
        due_at = started_at + number / rate
        if (wait_s := due_at - loop.time()) > 0:
            await asyncio.sleep(wait_s)
        tasks.append(asyncio.create_task(crowd.one(requests[number % len(requests)], due_at)))
    found = await asyncio.gather(*tasks)
    crowd.leave()
    return found
