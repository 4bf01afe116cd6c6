"""A machine that runs out: of disk, inodes, a writable disk, file descriptors. Predictions go on. H108, H109."""

from __future__ import annotations

import errno
import json
import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest

from labelled_samples import drawn_png
from raster_files import png
from server_process import RunningServer, running_server

_BOUNDARY = "b0undary"


@contextmanager
def _small_disk(folder: Path, options: str) -> Iterator[Path]:
    """A small disk of memory at `folder`, where this user may mount one."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a disk of memory cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _fill(folder: Path) -> list[Path]:
    """Files that leave no room, neither for a byte nor for a name."""
    made: list[Path] = []
    while True:
        file = folder / f"filler-{len(made)}"
        try:
            with file.open("wb", buffering=0) as filler:
                made.append(file)
                while filler.write(bytes(65_536)):
                    pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return made


def _name_everything(folder: Path) -> list[Path]:
    """Empty files for each inode that is left."""
    made: list[Path] = []
    with suppress(OSError):
        while True:
            file = folder / f"name-{len(made)}"
            file.touch()
            made.append(file)
    return made


def _post(
    server: RunningServer, path: str, *parts: tuple[str, bytes], patience_s: float = 60
) -> tuple[int, dict[str, object]]:
    body = b"".join(
        f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"
        for head, data in parts
    )
    connection = HTTPConnection("127.0.0.1", server.port, timeout=patience_s)
    try:
        kind = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
        connection.request("POST", path, body + f"--{_BOUNDARY}--\r\n".encode(), kind)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def _predict(server: RunningServer) -> tuple[int, object]:
    """Status, and whether the answer was stored."""
    status, answer = _post(server, "/predict", ('name="file"; filename="a.png"', png()))
    return status, answer.get("stored")


def _upload(server: RunningServer, seed: int, *, patience_s: float = 60) -> tuple[int, object]:
    """Status, and the problem."""
    parts = ('name="label"', b"normal"), ('name="files"; filename="a.png"', drawn_png(seed))
    status, answer = _post(server, "/upload-data", *parts, patience_s=patience_s)
    return status, answer.get("code")


def _heals(server: RunningServer, seed: int) -> None:
    """Asserts that predictions are stored and images taken again, soon and without a restart."""
    ends_at = time.monotonic() + 30
    while _predict(server) != (200, True):
        assert time.monotonic() < ends_at
        time.sleep(0.2)
    assert _upload(server, seed) == (201, None)


def _state_of(disk: Path) -> dict[str, str]:
    return {"HILUM_HOME": str(disk / "home"), "HILUM_RATE_LIMIT": "0"}


@pytest.mark.parametrize(
    ("options", "exhaust"), [("size=24m", _fill), ("size=64m,nr_inodes=400", _name_everything)], ids=["bytes", "inodes"]
)
def test_a_full_disk(tiny_bundle: Path, tmp_path: Path, options: str, exhaust: object) -> None:
    assert callable(exhaust)
    with (
        _small_disk(tmp_path / "disk", options) as disk,
        running_server(tiny_bundle, tmp_path / "log", _state_of(disk)) as server,
    ):
        _heals(server, 1)
        fillers = exhaust(disk)
        # a name that is there already, and pages that are free within the database's file, may still take a row
        assert _predict(server)[0] == 200
        status, code = _upload(server, 2)
        assert (status, code) == (507, "dataset-full")
        assert _predict(server)[0] == 200
        assert server.get("/health/ready")[0] == 200
        for file in fillers:
            file.unlink()
        _heals(server, 3)


def test_a_disk_that_refuses_every_write(tiny_bundle: Path, tmp_path: Path) -> None:
    """As a disk does that fails or was made read-only; the log's file is refused too."""
    with running_server(tiny_bundle, tmp_path / "log", _state_of(tmp_path)) as server:
        _heals(server, 1)
        worker = _worker(server)
        with _limited(worker, resource.RLIMIT_FSIZE, 0):
            assert _predict(server) == (200, False)
            assert _upload(server, 2)[0] in {503, 507}
            assert server.get("/health/ready")[0] == 200
        _heals(server, 3)
        assert worker.is_running()


def test_no_file_descriptor_is_left(tiny_bundle: Path, tmp_path: Path) -> None:
    statuses = []
    with running_server(tiny_bundle, tmp_path / "log", _state_of(tmp_path)) as server:
        _heals(server, 1)
        worker = _worker(server)
        for left in (0, 1, 2, 3):
            with _limited(worker, resource.RLIMIT_NOFILE, worker.num_fds() + left), ExitStack() as crowd:
                with suppress(OSError):  # where none is left for it, the connection waits in the system's line
                    statuses.append(_upload(server, 10 + left, patience_s=3)[0])
                for _ in range(40):
                    connection = crowd.enter_context(socket.socket())
                    connection.connect(("127.0.0.1", server.port))
                    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            _heals(server, 20 + left)
        assert worker.is_running()
    assert set(statuses) <= {201, 503, 507}
    assert statuses[0] != 201 or len(statuses) < 4


def _worker(server: RunningServer) -> psutil.Process:
    """The process that answers."""
    return max(psutil.Process(server.process.pid).children(), key=lambda process: process.num_threads())


@contextmanager
def _limited(process: psutil.Process, limit: int, value: int) -> Iterator[None]:
    """Lowers a limit of a process for the block."""
    before = resource.prlimit(process.pid, limit)
    resource.prlimit(process.pid, limit, (value, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process.pid, limit, before)
