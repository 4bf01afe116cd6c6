"""What a person's client does, against a real server: asks, sends forms, waits."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from server_process import RunningServer

PATIENCE_S = 900
_BOUNDARY = "b0undary"


def ask(server: RunningServer, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
    """The JSON of an answer, which must be a good one."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, {"content-type": "application/json"} | headers)
        response = connection.getresponse()
        said = response.read()
        assert response.status < 300, said
        return json.loads(said)
    finally:
        connection.close()


def tell(server: RunningServer, method: str, path: str, **values: Any) -> Any:
    """As `ask`, with a JSON body."""
    return ask(server, method, path, json.dumps(values).encode())


def send(server: RunningServer, path: str, name: str, file_name: str, data: bytes, **fields: str) -> Any:
    """Sends one file, and fields before it, as a form."""
    parts = [f'Content-Disposition: form-data; name="{field}"\r\n\r\n{value}' for field, value in fields.items()]
    parts.append(f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n\r\n')
    head = "\r\n".join(f"--{_BOUNDARY}\r\n{part}" for part in parts)
    form = head.encode() + data + f"\r\n--{_BOUNDARY}--\r\n".encode()
    return ask(server, "POST", path, form, **{"content-type": f"multipart/form-data; boundary={_BOUNDARY}"})


def predict(server: RunningServer, data: bytes) -> dict[str, Any]:
    """The answer for a slice."""
    answer: dict[str, Any] = send(server, "/predict", "file", "slice.png", data)
    return answer


def zipped(files: Iterable[tuple[str, Path]]) -> bytes:
    """A zip of files under these names."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, file in files:
            archive.writestr(name, file.read_bytes())
    return packed.getvalue()


def wait(is_so: Callable[[], bool]) -> None:
    """Waits until something is so."""
    ends_at = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends_at
        time.sleep(0.1)


def until_served(server: RunningServer, version: str) -> None:
    """Waits until a model answers."""

    def is_served() -> bool:
        with contextlib.suppress(ConnectionRefusedError):  # it may still be starting
            return bool(ask(server, "GET", "/health")["model_version"] == version)
        return False

    wait(is_served)
