"""A real nginx with the configuration we ship, on a free port of loopback, before instances on ports of loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from bench.server import free_port

CONFIGURATION = Path(__file__).resolve().parent.parent / "deploy" / "nginx" / "nginx.conf"


class Nginx:
    """A running nginx, as a context manager.

    Attributes:
        port: where it listens on 127.0.0.1.
    """

    def __init__(self, folder: Path, instance_ports: Sequence[int]) -> None:
        """Writes its files into `folder`, which exists."""
        self.port = free_port()
        self._folder = folder
        text = CONFIGURATION.read_text().replace("/tmp/", f"{folder}/")
        (folder / "nginx.conf").write_text(text)
        (folder / "listen.conf").write_text(f"listen 127.0.0.1:{self.port};\n")
        upstream = "".join(f"server 127.0.0.1:{port} max_fails=0;\n" for port in instance_ports)
        (folder / "upstream.conf").write_text(upstream)
        shutil.copy("/etc/nginx/mime.types", folder / "mime.types")

    def __enter__(self) -> Nginx:
        """Starts it and waits until it listens."""
        self._log = (self._folder / "nginx.log").open("wb")
        command = ["nginx", "-c", self._folder / "nginx.conf", "-p", self._folder, "-g", "daemon off;"]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError((self._folder / "nginx.log").read_text())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(20)
        self._log.close()
