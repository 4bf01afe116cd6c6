"""The open loop counts from when a request was due, and keeps its rate where answers are slow."""

from __future__ import annotations

import asyncio

from bench.open_loop import FAILED, Sent, send
from bench.overload import missed_goals, summarised

_REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def _sent_to(answers: list[bytes], *, rate: float, seconds: float, pause_s: float = 0.0) -> tuple[list[Sent], int]:
    """Sends to a server that gives `answers` in turn, each after a pause; returns the most requests it held at once."""
    held = most = served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal held, most, served
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                held += 1
                most = max(most, held)
                await asyncio.sleep(pause_s)
                held -= 1
                answer = answers[served % len(answers)]
                served += 1
                if answer:
                    writer.write(answer)
                    await writer.drain()
                else:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def scenario() -> list[Sent]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            return await send(server.sockets[0].getsockname()[1], [_REQUEST], rate=rate, seconds=seconds)

    return asyncio.run(scenario()), most


def test_requests_do_not_wait_for_answers() -> None:
    sent, most = _sent_to([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"], rate=100, seconds=0.5, pause_s=0.3)
    assert [one.status for one in sent] == [200] * 50
    assert most > 10
    assert all(one.latency_s >= max(0.3, one.late_s) for one in sent)


def test_each_status_is_told_and_a_closed_connection_is_a_failure() -> None:
    answers = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy",
        b"",
    ]
    sent, _ = _sent_to(answers, rate=20, seconds=0.6)
    assert sorted(one.status for one in sent) == [FAILED] * 4 + [200] * 4 + [503] * 4


def test_the_goals_are_judged_against_the_load_at_saturation() -> None:
    calm = summarised([Sent(200, 0.1, 0)] * 100, [Sent(200, 0.01, 0)], 100, 1)
    shedding = summarised([Sent(200, 0.15, 0)] * 95 + [Sent(503, 0.02, 0)] * 300, [Sent(200, 0.01, 0)], 400, 1)
    assert missed_goals({1.0: calm, 4.0: shedding}) == []
    slow = summarised([Sent(200, 0.9, 0)] * 50 + [Sent(503, 0.2, 0)] * 300, [Sent(FAILED, 10, 0)], 400, 1)
    assert len(missed_goals({1.0: calm, 4.0: slow})) == 5
