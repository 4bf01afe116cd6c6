"""A real server, in a process of its own, for tests of what only a socket shows."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SERVE = "from hilum.settings import Settings; from hilum.web.server import serve; serve(Settings())"


@dataclass
class RunningServer:
    """A server in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int
    started_in_s: float

    def exchange(self, request: bytes, *, is_last: bool = False) -> bytes:
        """Sends bytes as they are; what comes back until the connection closes or falls silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            received = b""
            with contextlib.suppress(OSError):
                connection.sendall(request)
                if is_last:
                    connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(65536):
                    received += chunk
            return received

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_server(bundle: Path, log: Path, settings: dict[str, str] | None = None) -> Iterator[RunningServer]:
    """Serves `bundle` on a free port of this machine, once it is ready, until the block ends."""
    port = _free_port()
    home = {"HILUM_HOME": str(log.parent / "home")}
    environment = os.environ | home | {"HILUM_MODEL": str(bundle), "HILUM_PORT": str(port)} | (settings or {})
    started_at = time.monotonic()
    with log.open("wb") as stderr:
        process = subprocess.Popen([sys.executable, "-c", _SERVE], env=environment, stdout=stderr, stderr=stderr)
    running = RunningServer(process, port, 0)
    try:
        while time.monotonic() - started_at < 120:  # a busy machine takes long
            try:
                if running.get("/health/ready")[0] == 200:
                    break
            except OSError:
                time.sleep(0.02)
        running.started_in_s = time.monotonic() - started_at
        yield running
    finally:
        process.terminate()
        process.wait(60)
