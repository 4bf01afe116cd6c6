"""A refusal does not wait for the body it refuses, and is told, counted and logged as other answers are."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from starlette.types import Message, Scope
from web_serving import tiny_service

from hilum.errors import Overloaded
from hilum.services.prediction import PredictionService
from hilum.web import admission
from hilum.web.admission import AdmissionGuard
from hilum.web.metrics import Instruments

_VIEWER = "https://viewer.example"


@pytest.fixture
def full(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> PredictionService:
    """A service without a free core."""
    service = tiny_service(tiny_bundle)

    def check_room() -> None:
        raise Overloaded("9 predictions are under way already", limit=9, actual=10)

    monkeypatch.setattr(service.workers, "check_room", check_room)
    return service


def _refused(
    service: PredictionService,
    receive: Callable[[list[Message]], Awaitable[Message]],
    headers: tuple[tuple[bytes, bytes], ...] = (),
    instruments: Instruments | None = None,
) -> list[Message]:
    sent: list[Message] = []

    async def app(*_: object) -> None:
        pytest.fail("it was let through")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": list(headers)}
    guard = AdmissionGuard(app, service, instruments or Instruments(), frozenset({_VIEWER}))
    asyncio.run(guard(scope, lambda: receive(sent), send))
    return sent


async def _nothing_more(_: list[Message]) -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def test_the_answer_goes_out_before_the_body_comes_and_the_body_is_read_to_its_end(full: PredictionService) -> None:
    chunks = [b"x" * 60, b"x" * 40]

    async def receive(sent: list[Message]) -> Message:
        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
        return {"type": "http.request", "body": chunks.pop(0), "more_body": True}

    start, body = _refused(full, receive, ((b"content-length", b"100"),))
    assert chunks == []
    headers = dict(start["headers"])
    problem = json.loads(body["body"])
    assert (start["status"], headers[b"retry-after"], headers[b"content-type"]) == (
        503,
        b"1",
        b"application/problem+json",
    )
    assert headers[b"content-length"] == str(len(body["body"])).encode()
    assert headers[b"x-request-id"].decode() == problem["instance"]
    assert (problem["code"], problem["type"], problem["limit"]) == ("overloaded", "/problems/overloaded", 9)
    assert {b"content-security-policy", b"x-content-type-options", b"cache-control"} <= set(headers)


@pytest.mark.parametrize(
    ("kind", "method", "path"),
    [("http", "GET", "/predict"), ("http", "POST", "/predictions"), ("http", "GET", "/health"), ("lifespan", "", "")],
)
def test_everything_else_is_answered_where_no_core_is_free(
    full: PredictionService, kind: str, method: str, path: str
) -> None:
    reached = []

    async def app(scope: Scope, *_: object) -> None:
        reached.append(scope["path"])

    async def send(_: Message) -> None:
        pytest.fail("it was refused")

    guard = AdmissionGuard(app, full, Instruments())
    asyncio.run(guard({"type": kind, "method": method, "path": path}, lambda: _nothing_more([]), send))
    assert reached == [path]


def test_a_slice_is_handed_on_where_a_core_is_free(tiny_bundle: Path) -> None:
    service, instruments, reached = tiny_service(tiny_bundle), Instruments(), []

    async def app(scope: Scope, *_: object) -> None:
        reached.append(scope["path"])

    async def send(_: Message) -> None:
        pytest.fail("it was refused")

    guard = AdmissionGuard(app, service, instruments)
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
    asyncio.run(guard(scope, lambda: _nothing_more([]), send))
    assert reached == ["/predict"]


@pytest.mark.parametrize("length", [b"1000", b"", b"-5"])
def test_a_body_that_never_ends_is_left(
    full: PredictionService, monkeypatch: pytest.MonkeyPatch, length: bytes
) -> None:
    monkeypatch.setattr(admission, "_DRAIN_S", 0.05)

    async def receive(sent: list[Message]) -> Message:
        await asyncio.sleep(30)
        return {"type": "http.request", "body": b"", "more_body": True}

    assert _refused(full, receive, ((b"content-length", length),))[0]["status"] == 503


@pytest.mark.parametrize(("length", "most"), [(b"4294967296", 0), (b"", 26)], ids=["declared", "chunked"])
def test_a_body_that_is_too_large_is_left(full: PredictionService, length: bytes, most: int) -> None:
    asked = 0

    async def receive(sent: list[Message]) -> Message:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": bytes(1_000_000), "more_body": True}

    headers = ((b"content-length", length),) if length else ()
    assert _refused(full, receive, headers)[0]["status"] == 503
    assert asked <= most


def test_refusals_are_counted_one_by_one_and_logged_together(
    full: PredictionService, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_TELL_S", 0.05)
    caplog.set_level(logging.INFO, "hilum.access")
    instruments = Instruments()

    async def app(*_: object) -> None:
        pytest.fail("it was let through")

    async def ask(guard: AdmissionGuard, times: int) -> None:
        async def ignore(_: Message) -> None: ...

        for _ in range(times):
            scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
            await guard(scope, lambda: _nothing_more([]), ignore)

    async def ask_and_wait() -> None:
        guard = AdmissionGuard(app, full, instruments)
        await ask(guard, 5)
        await asyncio.sleep(0.5)
        await ask(guard, 1)  # after a quiet moment, at once again

    asyncio.run(ask_and_wait())
    labels = {"method": "POST", "route": "/predict", "status": "503"}
    assert instruments.registry.get_sample_value("http_requests_total", labels) == 6
    took_s = instruments.registry.get_sample_value("http_request_seconds_sum", {"route": "/predict"})
    assert took_s is not None
    assert 0 < took_s < 60
    told = [(record.count, record.status, record.code) for record in caplog.records]  # type: ignore[attr-defined]
    assert told == [(1, 503, "overloaded"), (4, 503, "overloaded"), (1, 503, "overloaded")]


@pytest.mark.parametrize(("origin", "is_told"), [(_VIEWER, True), ("https://evil.example", False)])
def test_a_page_of_an_allowed_origin_may_read_it(full: PredictionService, origin: str, is_told: bool) -> None:
    start, _ = _refused(full, _nothing_more, ((b"origin", origin.encode()),))
    headers = dict(start["headers"])
    assert (headers.get(b"access-control-allow-origin") == origin.encode()) is is_told
    assert headers[b"vary"] == b"Origin"
