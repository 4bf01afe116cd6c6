"""A real nginx with the configuration we ship, before instances of a test's own, on a free port of loopback."""

from __future__ import annotations

import http.client
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from bench.nginx import Nginx


@dataclass
class Instance:
    """Stands for a hilum instance: keeps what it is sent, answers, or closes without a word.

    Attributes:
        received: whole requests, as they came.
        status, body: of its answers.
        is_dying: it reads a request and closes, as a killed instance does.
        is_streaming: it sends the body and keeps the answer open.
    """

    received: list[bytes] = field(default_factory=list)
    status: bytes = b"200 OK"
    body: bytes = b"{}"
    is_dying: bool = False
    is_streaming: bool = False
    port: int = 0


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        instance = cast("_InstanceServer", self.server).instance
        while head := self._head():
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
            )
            instance.received.append(head + self.rfile.read(length))
            if instance.is_dying:
                return
            if instance.is_streaming:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + instance.body)
                self.rfile.read()
                return
            headers = b"Content-Type: application/json\r\nContent-Length: %d" % len(instance.body)
            self.wfile.write(b"HTTP/1.1 %s\r\n%s\r\n\r\n%s" % (instance.status, headers, instance.body))

    def _head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return b""
            head += line
        return head


class _InstanceServer(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, instance: Instance) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.instance = instance
        instance.port = self.server_address[1]


@contextmanager
def running_instance() -> Iterator[Instance]:
    """An instance on a free port."""
    instance = Instance()
    with _InstanceServer(instance) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield instance
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Proxy:
    """A running nginx."""

    port: int

    def exchange(self, request: bytes) -> bytes:
        """Sends bytes as they are; what comes back until the connection closes or is silent for a second."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(request)
            received = b""
            try:
                while chunk := connection.recv(65536):
                    received += chunk
            except TimeoutError:
                pass
            return received

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Status, headers and body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()


@contextmanager
def nginx(folder: Path, instance_ports: list[int]) -> Iterator[Proxy]:
    """Starts nginx before the instances."""
    folder.chmod(0o755)  # its workers may be another user
    with Nginx(folder, instance_ports) as running:
        yield Proxy(running.port)
