"""Bytes on the wire that no HTTP library would send."""

from __future__ import annotations

import resource
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from web_serving import BOUNDARY, END, part

from server_process import RunningServer, running_server

_POST = (
    b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    b"Content-Type: multipart/form-data; boundary=" + BOUNDARY + b"\r\n"
)
_GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


_IDLE = min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 50)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the server."""
    return tmp_path_factory.mktemp("server") / "log"


@pytest.fixture(scope="module")
def server(tiny_bundle: Path, log: Path) -> Iterator[RunningServer]:
    """A server whose temporary files have a folder of their own."""
    (log.parent / "scratch").mkdir()
    with running_server(tiny_bundle, log, {"TMPDIR": str(log.parent / "scratch")}) as running:
        yield running


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (_POST + b"Content-Length: 4294967296\r\n\r\nx", b"413"),
        (_POST + b"Content-Length: -5\r\n\r\nx", b"400"),
        (_POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n123456", b"400"),
        (_POST + b"Content-Length: 20\r\n\r\n" + part(b"x") + END, b"400"),
        (_POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", b"400"),
        (_POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nx", b"400"),
        (_GET + b"X-A: b\r\n folded\r\n\r\n", b"400"),
        (_GET + b"Host: evil.example\r\n\r\n", b"400"),
        (b"GET /health HTTP/1.1\r\n\r\n", b"400"),
        (_GET + b"X-A: " + b"a" * 1_000_000 + b"\r\n\r\n", b"431"),
        (_GET + b"X-A: 1\r\n" * 500 + b"\r\n", b"431"),
        (b"GET /static/%2e%2e/app.py HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET /static/%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET /predictions/%ff/slice HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"404"),
        (b"no HTTP at all\r\n\r\n", b"400"),
    ],
)
def test_malformed_requests_are_refused(server: RunningServer, request_bytes: bytes, status: bytes) -> None:
    assert server.exchange(request_bytes)[9:12] == status
    assert server.get("/health/ready")[0] == 200


def test_a_body_framed_twice_ends_its_connection(server: RunningServer) -> None:
    body = part(b"x") + END
    framed = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    smuggled = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"

    answer = server.exchange(_POST.replace(b"Connection: close\r\n", b"") + framed + smuggled)

    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_body_that_ends_early_is_refused(server: RunningServer) -> None:
    answer = server.exchange(_POST + b"Content-Length: 5000\r\n\r\n" + part(b"x"), is_last=True)

    assert answer[9:12] == b"400"
    assert b"body-incomplete" in answer


def test_a_body_that_never_comes_is_given_up(server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(_POST + b"Content-Length: 5000\r\n\r\n" + part(b"x"))
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answer[9:12] == b"408"
    assert b"upload-timeout" in answer


def test_clients_that_leave_take_nothing_with_them(server: RunningServer, log: Path, slice_png: bytes) -> None:
    body = part(slice_png) + END
    for sent in (body[:500], body):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
                connection.sendall(_POST + b"Content-Length: %d\r\n\r\n" % len(body) + sent)

    time.sleep(0.5)
    answer = server.exchange(_POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert answer[9:12] == b"200"
    with closing(sqlite3.connect(log.parent / "home" / "hilum.db")) as database:
        (rows,) = database.execute("SELECT count(*) FROM predictions").fetchone()
    assert 1 <= rows <= 21  # none of a part; of a whole slice what was computed is kept, and the audit log says so
    assert [file for file in (log.parent / "scratch").rglob("*") if file.is_file()] == []


def test_health_answers_beside_many_idle_connections_which_are_closed(server: RunningServer) -> None:
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in range(_IDLE)]
    try:
        for connection in idle:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: lo")
        for _ in range(10):
            started_at = time.monotonic()
            assert server.get("/health/live")[0] == 200
            assert time.monotonic() - started_at < 2
        for connection in idle:  # which end by themselves, or this hangs
            with suppress(ConnectionError):
                while connection.recv(65536):
                    pass
    finally:
        for connection in idle:
            connection.close()
