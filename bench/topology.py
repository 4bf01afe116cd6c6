"""Many instances on loopback: nginx, `hilum serve` several times, PostgreSQL and a local S3 API. Sends no load."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

import psutil
from tests.postgresql_server import PostgresqlServer, find_binaries, postgresql_server

from bench.nginx import Nginx
from bench.server import free_port, hilum_command

_START_TIMEOUT_S = 300.0
_BUCKET = "hilum"
_S3 = {"AWS_ACCESS_KEY_ID": "cluster", "AWS_SECRET_ACCESS_KEY": "cluster", "AWS_REGION": "us-east-1"}


def run_command(environment: dict[str, str], *words: str) -> str:
    """Runs a `hilum` command; what it printed.

    Raises:
        SystemExit: it failed.
    """
    made = subprocess.run([*hilum_command(), *words], env=environment, capture_output=True, text=True, check=False)
    if made.returncode:
        raise SystemExit(f"hilum {' '.join(words)} failed: {made.stderr}")
    return made.stdout.strip()


class Instance:
    """One `hilum serve`, started and ended again as often as one likes.

    Attributes:
        port: where it listens on 127.0.0.1.
        home: its HILUM_HOME.
    """

    def __init__(self, number: int, environment: dict[str, str], folder: Path) -> None:
        """Prepares it; `environment` has its settings but for port and home."""
        self.port = free_port()
        self.home = folder / f"instance-{number}"
        self._log = folder / f"instance-{number}.log"
        self._environment = environment | {"HILUM_HOME": str(self.home)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and returns at once."""
        command = [*hilum_command(), "serve", "--port", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    def wait_until_ready(self) -> float:
        """Waits until `/health/ready` answers 200; seconds waited.

        Raises:
            SystemExit: it does not become ready.
        """
        started_at = time.monotonic()
        while time.monotonic() - started_at < _START_TIMEOUT_S:
            if self.ask("/health/ready")[0] == 200:
                return time.monotonic() - started_at
            time.sleep(0.05)
        raise SystemExit(f"an instance did not become ready:\n{self._log.read_text()[-3000:]}")

    def terminate(self) -> int:
        """Ends it as an orchestrator does, with SIGTERM; its exit code once it has drained."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        return process.wait(60)

    def kill(self) -> None:
        """Kills all its processes, as a lost machine would."""
        for process in reversed(self.processes()):
            process.kill()
        self._running().wait(20)

    def processes(self) -> list[psutil.Process]:
        """Its processes, the first of them first."""
        root = psutil.Process(self._running().pid)
        return [root, *root.children(recursive=True)]

    def cpu_s(self) -> float:
        """Processor seconds that they have used."""
        times = [process.cpu_times() for process in self.processes()]
        return sum(used.user + used.system for used in times)

    def ask(self, path: str, key: str = "") -> tuple[int, bytes]:
        """Status and body of a GET; status 0 where it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def command(self, *words: str) -> str:
        """Runs a `hilum` command with its settings; what it printed."""
        return run_command(self._environment, *words)

    @property
    def is_running(self) -> bool:
        """Whether its first process lives."""
        return self._process is not None and self._process.poll() is None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the instance was never started")
        return self._process


class ClusterWorker:
    """One `hilum worker --only batches`, started and killed as often as one likes."""

    def __init__(self, number: int, environment: dict[str, str], folder: Path) -> None:
        """Prepares it; `environment` has its settings but for its home."""
        self._log = folder / f"worker-{number}.log"
        self._environment = environment | {"HILUM_HOME": str(folder / f"worker-{number}")}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and returns at once."""
        with self._log.open("ab") as log:
            command = [*hilum_command(), "worker", "--only", "batches"]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    def kill(self) -> int:
        """Kills it with the process that scores, as a lost machine would; how many processes that were."""
        if self._process is None:
            return 0
        root = psutil.Process(self._process.pid)
        processes = (*root.children(recursive=True), root)
        for process in processes:
            process.kill()
        self._process.wait(20)
        return len(processes)

    def end(self) -> None:
        """Ends it as an orchestrator does."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)


class Topology:
    """All of it, as a context manager.

    Attributes:
        instances: behind nginx.
        workers: which score batches; the instances leave that to them.
        nginx: what clients talk to.
        postgresql: which can be stopped and started.
        key: of an administrator.
        environment: the settings that every instance and command line has.
    """

    instances: list[Instance]
    workers: list[ClusterWorker]
    nginx: Nginx
    postgresql: PostgresqlServer
    key: str

    def __init__(
        self, n_instances: int, *, n_workers: int = 0, threads: int = 1, settings: dict[str, str] | None = None
    ) -> None:
        """Prepares so many instances, each of which computes so many predictions at once, and so many workers."""
        self._n_instances = n_instances
        self._n_workers = n_workers
        self.environment: dict[str, str] = {}
        self._settings = {"HILUM_THREADS": str(threads)} | (settings or {})
        self._opened = ExitStack()

    def __enter__(self) -> Topology:
        """Starts everything and waits until all instances are ready.

        Raises:
            SystemExit: nginx or PostgreSQL is not installed.
        """
        binaries = find_binaries()
        if binaries is None or shutil.which("nginx") is None:
            raise SystemExit("nginx and postgresql are needed; on Debian: apt-get install nginx-light postgresql")
        try:
            self._start(binaries)
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends everything."""
        self._opened.close()

    def command(self, *words: str) -> str:
        """Runs a `hilum` command against the same state; what it printed."""
        return run_command(self.environment, *words)

    def _start(self, binaries: Path) -> None:
        folder = Path(self._opened.enter_context(TemporaryDirectory(prefix="hilum-cluster-")))
        folder.chmod(0o755)  # nginx's workers are another user
        self.postgresql = self._opened.enter_context(postgresql_server(binaries))
        store = self._start_store(folder)
        self.environment = os.environ | _S3 | {
            "HILUM_DATABASE_URL": self._opened.enter_context(self.postgresql.database()),
            "HILUM_BLOBS_URL": f"s3://{_BUCKET}/blobs",
            "AWS_ENDPOINT_URL": store,
            "AWS_ALLOW_HTTP": "true",
            "HILUM_API_KEYS_REQUIRED": "true",
            "HILUM_RATE_LIMIT": "0",
            "HILUM_HOME": str(folder / "home"),
            "HILUM_WORKER": "false",
        } | self._settings  # fmt: skip
        self.command("db", "upgrade")
        self.key = self.command("keys", "create", "--role", "administer", "cluster").splitlines()[-1]
        self.instances = [Instance(number, self.environment, folder) for number in range(self._n_instances)]
        self._opened.callback(self._end_instances)
        for instance in self.instances:
            instance.start()
        for instance in self.instances:
            instance.wait_until_ready()
        self.workers = [ClusterWorker(number, self.environment, folder) for number in range(self._n_workers)]
        for worker in self.workers:
            self._opened.callback(worker.end)
            worker.start()
        (folder / "nginx").mkdir()
        self.nginx = self._opened.enter_context(Nginx(folder / "nginx", [one.port for one in self.instances]))

    def _start_store(self, folder: Path) -> str:
        """Starts moto's server, makes the bucket; the address."""
        port = free_port()
        command = [Path(sys.executable).with_name("moto_server"), "--host", "127.0.0.1", "--port", str(port)]
        log = self._opened.enter_context((folder / "store.log").open("wb"))
        process = subprocess.Popen(command, stdout=log, stderr=log)
        self._opened.callback(process.wait, 20)
        self._opened.callback(process.terminate)
        for _ in range(600):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("PUT", f"/{_BUCKET}")
                if connection.getresponse().status == 200:
                    return f"http://127.0.0.1:{port}"
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            time.sleep(0.1)
        raise SystemExit("the local S3 server did not start")

    def _end_instances(self) -> None:
        for instance in self.instances:
            if instance.is_running:
                instance.terminate()
