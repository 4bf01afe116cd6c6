"""Several processes on one port answer as one: what they count, what they keep, and what happens when one dies."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from prometheus_client.multiprocess import MultiProcessCollector
from web_serving import BOUNDARY, END, part

from hilum.web.processes import SHARED_COUNTS, counting_together, does_the_chores
from server_process import RunningServer, running_server

_TWO = {"HILUM_PROCESSES": "2"}
_ASKED = 40


@pytest.fixture
def two(tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[RunningServer, Path]]:
    """A server of two processes, once both listen, and the folder in which they count."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running_server(tiny_bundle, tmp_path / "log", _TWO) as server:
        _wait_until_both_listen(server)
        (counts,) = tmp_path.glob("hilum-counts-*")
        yield server, counts
    assert not counts.exists()


def _get(server: RunningServer, path: str, accept: str = "*/*") -> tuple[int, bytes]:
    """Status and body of a GET on a connection of its own, which either process may take."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    head, _, body = server.exchange(request.encode()).partition(b"\r\n\r\n")
    return int(head[9:12] or 0), body


def _predict(server: RunningServer, data: bytes) -> bytes:
    body = part(data) + END
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n" % len(body)
    return server.exchange(head + b"Content-Type: multipart/form-data; boundary=" + BOUNDARY + b"\r\n\r\n" + body)


def _wait_until_both_listen(server: RunningServer) -> None:
    main = psutil.Process(server.process.pid)
    deadline = time.monotonic() + 60
    while not all(_listens(child, server.port) for child in main.children()) or len(main.children()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _listens(process: psutil.Process, port: int) -> bool:
    found = process.net_connections("tcp")
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in found)


def _predictions_told(server: RunningServer) -> float:
    status, body = _get(server, "/metrics", "text/plain")
    assert status == 200
    return sum(float(value) for value in re.findall(rb"^predictions_total\{.*\} (\S+)$", body, re.MULTILINE))


def _predictions_of(file: Path) -> float:
    merged = MultiProcessCollector.merge([str(file)])  # type: ignore[no-untyped-call]
    return sum(sample.value for metric in merged if metric.name == "predictions" for sample in metric.samples)


def test_two_processes_count_and_remember_together(two: tuple[RunningServer, Path], slice_png: bytes) -> None:
    server, counts = two
    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(lambda _: _predict(server, slice_png), range(_ASKED)))
    assert {answer[9:12] for answer in answers} == {b"200"}
    ids = {json.loads(answer.partition(b"\r\n\r\n")[2])["id"] for answer in answers}
    assert len(ids) == _ASKED

    each = [_predictions_of(file) for file in counts.glob("counter_*.db")]
    assert len(each) == 2
    assert min(each) > 0, "both have answered"
    assert {_predictions_told(server) for _ in range(10)} == {_ASKED}
    told = _get(server, "/metrics", "application/openmetrics-text")[1]
    assert b"\nready 1.0\n" in told
    assert b"\npredictions_under_way 0.0\n" in told
    assert told.endswith(b"# EOF\n")

    page = json.loads(_get(server, "/predictions?limit=100")[1])
    assert {item["id"] for item in page["items"]} == ids
    shown = {_get(server, f"/predictions/{one}/explanation", "image/png")[0] for one in ids}
    assert shown == {200}, "whichever process is asked"


def test_the_other_serves_on_where_one_dies(two: tuple[RunningServer, Path], slice_png: bytes) -> None:
    server, counts = two
    for _ in range(10):
        assert _predict(server, slice_png)[9:12] == b"200"
    main = psutil.Process(server.process.pid)
    doomed, other = main.children()
    doomed.kill()
    while doomed.is_running() and doomed.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    answered = 10
    deadline = time.monotonic() + 60
    while len(main.children()) < 2 and time.monotonic() < deadline:
        answered += _predict(server, slice_png)[9:12] == b"200"
    assert other.is_running()
    while list(counts.glob(f"gauge_live*_{doomed.pid}.db")):  # until the one that follows has begun
        assert time.monotonic() < deadline
        time.sleep(0.1)
    _wait_until_both_listen(server)
    assert _predictions_told(server) == answered, "what the dead one counted stays counted"


def test_a_server_that_is_told_to_stop_while_it_starts_stops(tiny_bundle: Path, tmp_path: Path) -> None:
    with running_server(tiny_bundle, tmp_path / "log", _TWO) as server:
        main = psutil.Process(server.process.pid)
        killed = main.children()[0]
        killed.kill()
        deadline = time.monotonic() + 30
        while len(alive := main.children()) < 2 or killed in alive:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        server.process.send_signal(signal.SIGTERM)  # one is ready, and its new neighbour loads what it needs
        assert server.process.wait(25) == 0, "sooner than one that does not stop is killed"


_FORKED = """
import os, signal, time
from hilum.web.processes import have_forks_end_when_told

signal.signal(signal.SIGTERM, lambda *_: None)
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
have_forks_end_when_told()
if not (child := os.fork()):
    time.sleep(20)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
os.kill(os.getpid(), signal.SIGTERM)
print("the parent heeds its own handler")
"""


def test_a_fork_that_is_told_to_end_at_once_ends() -> None:
    told = subprocess.run([sys.executable, "-c", _FORKED], check=False, capture_output=True, text=True, timeout=60)
    assert told.stdout == "the parent heeds its own handler\n", told.stderr


def test_what_a_killed_server_counted_in_goes_when_the_next_starts(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running_server(tiny_bundle, tmp_path / "log", _TWO) as server:
        family = psutil.Process(server.process.pid).children(recursive=True)
        (counts,) = tmp_path.glob("hilum-counts-*")
        server.process.kill()
        server.process.wait(20)
        _, alive = psutil.wait_procs(family, timeout=40)
        assert alive == []
    assert counts.exists()
    with running_server(tiny_bundle, tmp_path / "log"):
        assert not counts.exists()


def test_one_process_has_the_chores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SHARED_COUNTS, raising=False)
    assert [does_the_chores(), does_the_chores()] == [True, True], "each that serves alone"
    with counting_together(2):
        assert [does_the_chores(), does_the_chores()] == [True, False]
    with counting_together(1):
        assert does_the_chores()
