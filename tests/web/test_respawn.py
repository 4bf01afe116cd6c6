"""A serving process that dies is followed by another, or by none where its parent died. H105."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest
from web_serving import BOUNDARY, END, part

import raster_files as img
from hilum.web.addresses import free_address
from server_process import running_server


def test_nobody_serves_on_where_the_main_process_was_killed(tiny_bundle: Path, tmp_path: Path) -> None:
    with running_server(tiny_bundle, tmp_path / "log") as server:
        main = psutil.Process(server.process.pid)
        family = main.children(recursive=True)
        assert family
        main.kill()
        server.process.wait(20)
        _, alive = psutil.wait_procs(family, timeout=40)
        assert alive == []
        free_address("127.0.0.1", server.port)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
def test_processes_that_die_are_replaced(tiny_bundle: Path, tmp_path: Path) -> None:
    body = part(img.tiff(), filename="a.tif") + END
    request = (
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: multipart/form-data; boundary=" + BOUNDARY + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
    ) + body

    with running_server(tiny_bundle, tmp_path / "log") as server:
        main = psutil.Process(server.process.pid)

        def processes(word: str) -> list[psutil.Process]:
            return [one for one in main.children(recursive=True) if word in " ".join(one.cmdline())]

        deadline = time.monotonic() + 30
        while not (answer := server.exchange(request)).startswith(b"HTTP/1.1 200") and time.monotonic() < deadline:
            time.sleep(0.2)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        (decoder,) = processes("decoding_process")
        decoder.kill()
        assert server.exchange(request)[9:12] in {b"200", b""}
        (worker,) = [one for one in main.children() if processes("decoding_process")[0] in one.children()]
        worker.kill()
        deadline = time.monotonic() + 30
        is_back = False
        while not is_back and time.monotonic() < deadline:
            time.sleep(0.2)
            try:
                is_back = server.get("/health/ready")[0] == 200
            except OSError:
                continue
        assert is_back
        assert not psutil.pid_exists(worker.pid) or psutil.Process(worker.pid).status() == psutil.STATUS_ZOMBIE
