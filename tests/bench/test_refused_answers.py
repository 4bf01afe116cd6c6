"""Answers 503 are counted apart from other errors, and are no part of what a server is said to answer a second."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path

import pytest
from bench.scaling import Case

from bench import wrk

_STATUSES = (200, 503, 404)


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_tells_503_from_other_errors(tmp_path: Path) -> None:
    sent: Counter[int] = Counter()
    statuses = cycle(_STATUSES)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status = next(statuses)
            sent[status] += 1
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    file = tmp_path / "slice.png"
    file.write_bytes(b"slice")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        load = wrk.run(server.server_address[1], [file], connections=1, seconds=1)
        server.shutdown()
    # wrk ends amid a request, whose answer it may not have read
    assert load.requests >= 3
    assert 0 <= sum(sent.values()) - load.requests <= 1
    assert 0 <= sent[503] - load.refused <= 1
    assert 0 <= sent[503] + sent[404] - load.errors <= 1


def test_a_case_counts_refusals_apart() -> None:
    case = Case("", 0, [], lambda: 0.0, dict)
    case.loads = [wrk.Load(200.0, 1, 2, 3, 4, 2000, 501, refused=500), wrk.Load(100.0, 1, 2, 3, 4, 1000, 2)]
    case.cpu_ms = [1.0, 1.0]
    found = case.found()
    assert (found["requests"], found["refused"], found["errors"]) == (3000, 500, 3)
    assert found["requests_per_s"] | {"median": 0, "mean": 0} == {
        "median": 0,
        "mean": 0,
        "min": 100,
        "max": 150,
        "n": 2,
    }
