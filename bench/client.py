"""Sends files to a server from Python: to count predictions exactly and to check answers. Too slow to measure with."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

BOUNDARY = "hilum-bench-client"


def multipart(data: bytes, name: str, *, field: str = "file") -> bytes:
    """One file as a multipart body."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()


def predict_request(file: Path) -> bytes:
    """A whole `POST /predict` for a connection of one's own."""
    body = multipart(file.read_bytes(), file.name)
    head = (
        "POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def predict_all(port: int, files: Sequence[tuple[str, bytes]], *, count: int, connections: int) -> list[dict[str, Any]]:
    """Asks for `count` predictions, going through `files` in turn.

    Raises:
        SystemExit: an answer was not 200.
    """
    local = threading.local()

    def ask(index: int) -> dict[str, Any]:
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        name, data = files[index % len(files)]
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        local.connection.request("POST", "/predict", multipart(data, name), headers)
        response = local.connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise SystemExit(f"{name} was answered {response.status}: {body[:500].decode(errors='replace')}")
        answer: dict[str, Any] = json.loads(body)
        return answer

    with ThreadPoolExecutor(connections) as pool:
        return list(pool.map(ask, range(count)))
