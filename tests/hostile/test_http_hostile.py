"""Every hostile request gets its answer from a real server, leaks nothing, and harms no later one. H66 to H97."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hostile_cases import HOSTILE_CASES
from http_cases import HTTP_CASES, HttpCase, part, request, upload

import raster_files as img
from server_process import RunningServer, running_server

_LEAKS = (b"Traceback", b'File "', b"site-packages", b"/tmp", b"/home", b"passwd:", b"SELECT ", b"sqlalchemy")
_SECRET = "canary-9f3a"
_MAX_GROWTH_MB = 64


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the server."""
    return tmp_path_factory.mktemp("http") / "log"


@pytest.fixture(scope="module")
def server(tiny_bundle: Path, log: Path) -> Iterator[RunningServer]:
    """A server on loopback, whose temporary files have a folder of their own."""
    (log.parent / "scratch").mkdir()
    settings = {"HILUM_LOG_LEVEL": "debug", "TMPDIR": str(log.parent / "scratch")}
    with running_server(tiny_bundle, log, settings) as running:
        yield running


def exchange(server: RunningServer, sent: bytes) -> tuple[int, bytes]:
    """Status and everything that came back until the connection closed; an answer may come before all is sent."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        with contextlib.suppress(OSError):  # refused before it was whole: the answer says why
            connection.sendall(sent)
        while True:
            try:
                chunk = connection.recv(65_536)
            except OSError:
                break
            if not chunk:
                break
            received += chunk
    return int(received[9:12] or 0), received


def plain(server: RunningServer) -> dict[str, float]:
    """What a plain slice gets."""
    status, received = exchange(server, upload(part(img.png())))
    assert status == 200, received[:300]
    body = received.split(b"\r\n\r\n", 1)[1]
    probabilities: dict[str, float] = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])["probabilities"]
    return probabilities


@pytest.fixture(scope="module")
def golden(server: RunningServer) -> dict[str, float]:
    """What the plain slice gets before anything hostile was sent."""
    return plain(server)


def left_by(log: Path) -> tuple[int, set[Path]]:
    """Predictions that are stored, and files of images and uploads, also those for a moment only."""
    folders = (log.parent / "scratch", log.parent / "home")
    files = {file for folder in folders for file in folder.rglob("*") if file.is_file()}
    with contextlib.closing(sqlite3.connect(log.parent / "home" / "hilum.db")) as database:
        (rows,) = database.execute("SELECT count(*) FROM predictions").fetchone()
    return rows, {file for file in files if "bundles" not in file.parts and not file.name.startswith("hilum.db")}


@pytest.mark.parametrize("case", HTTP_CASES, ids=str)
def test_gets_its_answer(server: RunningServer, golden: dict[str, float], log: Path, case: HttpCase) -> None:
    before = left_by(log)
    status, received = exchange(server, case.make())

    assert status in case.statuses, received[:400]
    if status != 200:
        assert left_by(log) == before
    assert not [leak for leak in _LEAKS if leak in received]
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"X-Injected" not in head
    assert set(re.findall(rb"\r\nlocation: *([^\r]*)", head.lower())) <= {b"/"}
    if case.code is not None:
        assert len(body) <= 4096
        problem = json.loads(body)
        assert (problem["code"], problem["type"]) == (case.code, f"/problems/{case.code}")
        assert b"application/problem+json" in head
    if status == 405:
        assert b"\r\nallow:" in head.lower()
    assert plain(server) == golden


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from /proc")
def test_bombs_leave_the_server_small(server: RunningServer, golden: dict[str, float]) -> None:
    """Of all processes of the server, the most any of them ever held more than before."""
    processes = psutil.Process(server.process.pid).children(recursive=True)
    before = {process.pid: _peak_mb(process.pid, anew=True) for process in processes}
    for case in HOSTILE_CASES:
        if case.is_bomb:
            status, received = exchange(server, upload(part(case.make())))
            assert status == case.status, (str(case), received[:300])
    grown = {pid: _peak_mb(pid) - mb for pid, mb in before.items() if psutil.pid_exists(pid)}
    assert grown
    assert max(grown.values()) < _MAX_GROWTH_MB, grown
    assert plain(server) == golden


def _peak_mb(pid: int, *, anew: bool = False) -> float:
    """The most a process has held in memory since it was last asked anew."""
    folder = Path(f"/proc/{pid}")
    if anew:
        (folder / "clear_refs").write_text("5")
    (line,) = (line for line in (folder / "status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def test_log_lines_are_short_json_without_what_clients_said(server: RunningServer, log: Path) -> None:
    """H95."""
    exchange(server, request("/nowhere/JANE-DOE", "User-Agent: JANE-DOE\tx", "X-Name: JANE-DOE"))
    lines = log.read_text().splitlines()
    assert lines
    for line in lines:
        assert line.isprintable()
        assert len(line) <= 8_192
        assert set(json.loads(line)) >= {"at", "level", "event"}
    assert "JANE" not in log.read_text()


def test_metrics_do_not_grow_with_what_clients_send(server: RunningServer) -> None:
    """H97."""

    def series() -> int:
        _, received = exchange(server, request("/metrics", "Accept: text/plain"))
        return sum(b"{" in line for line in received.splitlines())

    def storm(start: int) -> None:
        for number in range(start, start + 60):
            exchange(server, request(f"/nowhere/{number}?q={number}", method="BREW" if number % 2 else "GET"))
            exchange(server, request(f"/predictions/{number}/slice"))
            exchange(server, request(f"/problems/{number}"))

    storm(0)
    series()  # is itself counted from the next time on
    before = series()
    storm(1000)
    assert series() <= before


def test_secrets_are_in_no_answer_and_no_log(tiny_bundle: Path, tmp_path: Path) -> None:
    """H96: a database and a store that do not answer, whose addresses hold secrets."""
    settings = {
        "HILUM_DATABASE_URL": f"postgresql://hilum:{_SECRET}@127.0.0.1:1/hilum",
        "HILUM_BLOBS_URL": "s3://bucket/prefix",
        "AWS_SECRET_ACCESS_KEY": _SECRET,
        "AWS_ACCESS_KEY_ID": _SECRET,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ALLOW_HTTP": "true",
    }
    seen = b""
    with running_server(tiny_bundle, tmp_path / "log", settings) as running:
        for sent in (
            upload(part(img.png())), request("/health"), request("/predictions"), request("/monitoring/drift"),
            request("/metrics", "Accept: text/plain"), request("/limits"), request("/openapi.json"),
        ):  # fmt: skip
            seen += exchange(running, sent)[1]
    assert b"history-unavailable" in seen
    assert _SECRET.encode() not in seen
    assert _SECRET not in (tmp_path / "log").read_text()
