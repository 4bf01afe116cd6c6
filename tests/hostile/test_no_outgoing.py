"""Whatever it is sent, the server connects to nobody and looks up no name. H92."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hostile_cases import HOSTILE_CASES
from http_cases import HTTP_CASES, part, request, upload
from socket_guard import can_ask_the_kernel, kernel_notes, outgoing, watching_environment
from test_http_hostile import exchange

import dicom_files as dcm
import raster_files as img
from server_process import RunningServer, running_server

_ADDRESSES = (
    "http://169.254.169.254/latest/meta-data/",
    "http://rebind.example/",
    "https://127.0.0.1:1/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "//evil.example/x",
    "\\\\evil.example\\share\\x",
)
_CONNECT = "import socket; socket.socket().connect_ex(('127.0.0.1', 1)); socket.getaddrinfo('localhost', 1)"


def _naming_an_address(address: str) -> Iterator[bytes]:
    """Requests that name it wherever somebody could think of following it."""
    text = json.dumps({"confirmed_class": address, "callback": address, "note": address, "images": [address]}).encode()
    prediction = "/predictions/00000000-0000-4000-8000-000000000000/feedback"
    for method, target in (
        ("POST", prediction), ("POST", "/retrain"), ("PUT", "/automation"), ("POST", "/batches"),
        ("POST", "/models/rollback"), ("POST", "/sessions"),
    ):  # fmt: skip
        headers = ("Content-Type: application/json", f"Content-Length: {len(text)}")
        yield request(target, *headers, method=method, body=text)
    kept = {0x00081190: ("UR", address), 0x0040E010: ("UR", address), 0x00080058: ("UI", address)}
    yield upload(part(dcm.dicom(kept)))  # type: ignore[arg-type]
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{address}"/></svg>'.encode()
    yield upload(part(svg))
    yield upload(part(img.png(before=img.chunk(b"tEXt", b"URL\x00" + address.encode()))))
    yield upload(part(img.png(), f'form-data; name="file"; filename="{address}"'))
    yield request(f"/models/{address.replace('/', '%2f')}")
    hints = (f"Referer: {address}", f"Origin: {address}", f"X-Forwarded-For: {address}", f"Destination: {address}")
    yield request("/health", *hints, f'Link: <{address}>; rel="preload"')
    yield request(address)


def _all_of_it(server: RunningServer) -> int:
    """Sends everything; how often it was answered."""
    sent = [one for address in _ADDRESSES for one in _naming_an_address(address)]
    sent += [case.make() for case in HTTP_CASES if case.id in {"H79", "H80", "H91", "H92", "H93", "H94", "H95"}]
    sent += [upload(part(case.make())) for case in HOSTILE_CASES if case.id in {"H21", "H22", "H24", "H25", "H60"}]
    return sum(exchange(server, one)[0] in range(200, 500) for one in sent)


def test_no_process_of_python_asks_anybody(tiny_bundle: Path, tmp_path: Path) -> None:
    environment, noted = watching_environment(tmp_path)
    with running_server(tiny_bundle, tmp_path / "log", environment | {"HILUM_RATE_LIMIT": "0"}) as server:
        assert _all_of_it(server) > 100
    assert not noted.exists(), noted.read_text()

    subprocess.run([sys.executable, "-c", _CONNECT], env=os.environ | environment, check=True)
    assert [line.split()[0] for line in noted.read_text().splitlines()] == ["socket.connect", "socket.getaddrinfo"]


@pytest.mark.skipif(not can_ask_the_kernel(), reason="strace is not there, or may not look")
def test_the_kernel_is_asked_for_no_connection(
    tiny_bundle: Path, tmp_path: Path, connecting: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """Also of what is not written in Python: the server, the codecs and the store of bytes."""
    with running_server(tiny_bundle, tmp_path / "log", {"HILUM_RATE_LIMIT": "0"}) as server:
        with kernel_notes(server.process.pid, tmp_path / "calls") as calls:
            assert _all_of_it(server) > 100
        assert outgoing(calls) == []

    process = connecting()
    with kernel_notes(process.pid, tmp_path / "known") as calls:
        process.communicate(b"go", timeout=20)
    assert any("127.0.0.1" in line for line in outgoing(calls))


@pytest.fixture
def connecting() -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts a process that connects somewhere once it is told to."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        code = f"import sys; sys.stdin.buffer.read(); {_CONNECT}"
        started.append(subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
