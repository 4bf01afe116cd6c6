"""A `hilum serve` of its own to measure: started as a user would, watched from outside, ended cleanly."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

import psutil

_START_TIMEOUT_S = 180
_POLL_S = 0.005


def hilum_command() -> list[str]:
    """The installed `hilum`, of the environment that measures."""
    script = Path(sys.executable).with_name("hilum")
    return [str(script)] if script.is_file() else [sys.executable, "-c", "from hilum.cli import main; main()"]


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def memory_of(processes: list[psutil.Process]) -> dict[str, float]:
    """Resident memory of processes: `rss` counts pages shared by two of them twice, `pss` once."""
    full = [process.memory_full_info() for process in processes]
    return {
        "rss": round(sum(info.rss for info in full) / 1e6, 1),
        "pss": round(sum(getattr(info, "pss", info.rss) for info in full) / 1e6, 1),
        "processes": len(full),
    }


class Server:
    """A running server, as a context manager.

    Attributes:
        port: where it listens on 127.0.0.1.
        ready_s: from starting the process until `/health/ready` answered 200.
    """

    def __init__(self, model: Path | None, environment: dict[str, str] | None = None) -> None:
        """Prepares to serve `model`, or the reference model; `environment` adds settings."""
        self.port = free_port()
        self.ready_s = 0.0
        self._model = model
        self._environment = environment or {}
        self._home = TemporaryDirectory(prefix="hilum-bench-")

    def __enter__(self) -> Server:
        """Starts it and waits until it is ready."""
        command = [*hilum_command(), "serve", "--port", str(self.port)]
        if self._model is not None:
            command += ["--model", str(self._model)]
        self._log = (Path(self._home.name) / "server.log").open("wb")
        environment = os.environ | {"HILUM_HOME": self._home.name} | self._environment
        started_at = time.perf_counter()
        self._process = subprocess.Popen(command, env=environment, stdout=self._log, stderr=subprocess.STDOUT)
        try:
            self._wait_until_ready(started_at)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.ready_s = time.perf_counter() - started_at
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it as Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            for process in self._tree():
                process.kill()
        self._log.close()
        self._home.cleanup()

    def new_key(self) -> str:
        """Makes an API key in the server's database, before or after it was started."""
        environment = os.environ | {"HILUM_HOME": self._home.name} | self._environment
        command = [*hilum_command(), "keys", "create", "bench"]
        made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return made.stdout.strip()

    def memory_mb(self) -> dict[str, float]:
        """Memory of the whole process tree: `rss` counts pages shared by two processes twice, `pss` once."""
        return memory_of(self._tree())

    def cpu_s(self) -> float:
        """Processor seconds the tree has used."""
        times = [process.cpu_times() for process in self._tree()]
        return sum(used.user + used.system for used in times)

    def _tree(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _wait_until_ready(self, started_at: float) -> None:
        while time.perf_counter() - started_at < _START_TIMEOUT_S:
            if self._process.poll() is not None:
                break
            if self._is_ready():
                return
            time.sleep(_POLL_S)
        log = (Path(self._home.name) / "server.log").read_text(errors="replace")
        raise SystemExit(f"the server did not become ready; it said:\n{log[-4000:]}")

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
