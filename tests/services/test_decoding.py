"""Processes that decode can hang, die and run out of memory; the one that serves cannot. H105, H122."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import dicom_files as dcm
import raster_files as img
from hilum.errors import DecodeTimeout, ImageCorrupt, InputRejected
from hilum.imaging.decode import Limits, decode
from hilum.services import decoding
from hilum.services.decoding import Decoders, Isolation

_FILES = {
    "png": img.png(),
    "jpeg": img.jpeg(),
    "tiff": img.tiff(),
    "webp": img.webp(),
    "dicom": dcm.dicom(),
    "dicom-rle": dcm.dicom(syntax=dcm.RLE, encapsulated=dcm.encoded(dcm.RLE)),
    "dicom-j2k": dcm.dicom(syntax=dcm.J2K, encapsulated=dcm.encoded(dcm.J2K)),
}


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    """Decoders that isolate everything."""
    made = Decoders("all")
    yield made
    made.close()


def replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str) -> None:
    """Makes decoding processes run `body` instead of decoding."""
    script = tmp_path / "child.py"
    head = "import os, signal, sys, time\nsys.stdout.buffer.write(b'R')\nsys.stdout.buffer.flush()\n"
    script.write_text(head + "sys.stdin.buffer.read(12)\n" + body)
    monkeypatch.setattr(decoding, "_COMMAND", (str(script),))


def test_gives_what_decoding_here_gives(decoders: Decoders) -> None:
    for name, data in _FILES.items():
        here, there = (one(data, name="a.png", with_pixel_file=True) for one in (decode, decoders.decode))
        assert np.array_equal(here.pixels, there.pixels), name
        assert (here.mode, here.warnings, here.pixel_file) == (there.mode, there.warnings, there.pixel_file)
    assert len(decoders.pids) == 1


@pytest.mark.parametrize(
    "data", [b"", b"junk", img.png()[:200], dcm.dicom()[:-900], img.png_bomb(60_000, 60_000, rows=1)]
)
def test_refuses_as_decoding_here_refuses(decoders: Decoders, data: bytes) -> None:
    with pytest.raises(InputRejected) as here:
        decode(data)
    with pytest.raises(InputRejected) as there:
        decoders.decode(data)
    assert type(here.value) is type(there.value)
    assert (here.value.detail, here.value.limit) == (there.value.detail, there.value.limit)


@pytest.mark.parametrize(
    ("isolation", "apart"),
    [("none", set()), ("codecs", {"tiff", "webp", "dicom-rle", "dicom-j2k"}), ("all", set(_FILES))],
)
def test_isolates_what_it_is_told_to(isolation: Isolation, apart: set[str]) -> None:
    for name, data in _FILES.items():
        decoders = Decoders(isolation)
        decoders.decode(data)
        assert bool(decoders.pids) == (name in apart), name
        decoders.close()


def test_a_process_that_is_killed_costs_no_answer(decoders: Decoders) -> None:
    decoders.decode(img.png())
    for _ in range(3):
        os.kill(decoders.pids[0], signal.SIGKILL)
        assert np.array_equal(decoders.decode(img.png()).pixels, img.PICTURE)


def test_a_process_that_is_killed_while_it_decodes_costs_no_answer(decoders: Decoders) -> None:
    decoders.decode(img.png())
    (pid,) = decoders.pids
    os.kill(pid, signal.SIGSTOP)  # so that it is at work for sure
    threading.Timer(0.2, os.kill, (pid, signal.SIGKILL)).start()
    assert np.array_equal(decoders.decode(img.png()).pixels, img.PICTURE)
    assert pid not in decoders.pids


def test_a_process_that_hangs_is_killed_and_replaced(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(decoding, "WALL_SECONDS", 0.3)
    with monkeypatch.context() as patched:
        replaced(patched, tmp_path, "time.sleep(60)")
        with pytest.raises(DecodeTimeout):
            decoders.decode(img.png())
    monkeypatch.setattr(decoding, "WALL_SECONDS", 5.0)
    assert np.array_equal(decoders.decode(img.png()).pixels, img.PICTURE)


def test_the_processor_time_of_a_file_is_bounded(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    replaced(monkeypatch, tmp_path, "os.kill(os.getpid(), signal.SIGXCPU)")
    with pytest.raises(DecodeTimeout):
        decoders.decode(img.png())


@pytest.mark.parametrize(
    "body",
    [
        "os.kill(os.getpid(), signal.SIGSEGV)",
        "os._exit(1)",
        "sys.stdout.buffer.write(b'\\xff' * 400)",
        "sys.stdout.buffer.write(bytes([0,0,0,2,0,0,0,0,0,0,0,0]) + b'{}')",
    ],
)
def test_a_file_that_breaks_two_processes_is_refused(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str
) -> None:
    with monkeypatch.context() as patched:
        replaced(patched, tmp_path, body)
        with pytest.raises(ImageCorrupt):
            decoders.decode(img.png())
    assert np.array_equal(decoders.decode(img.png()).pixels, img.PICTURE)


def test_a_process_has_little_memory_and_no_secrets(decoders: Decoders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    decoders.decode(img.png())
    (pid,) = decoders.pids
    assert b"canary" not in Path(f"/proc/{pid}/environ").read_bytes()
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    values = {line[:26].strip(): line[26:].split()[0] for line in limits[1:]}
    assert int(values["Max address space"]) < 1_500_000_000
    assert values["Max file size"] == "0"
    assert 0 < int(values["Max cpu time"]) < 30


def test_what_takes_too_much_memory_is_refused_and_the_process_goes_on(decoders: Decoders) -> None:
    wide = Limits(file_bytes=10**9, pixels=10**10, max_side=10**6, decoded_bytes=10**12)
    with pytest.raises(InputRejected):
        decoders.decode(img.png_bomb(30_000, 30_000, rows=30_000), limits=wide)
    assert np.array_equal(decoders.decode(img.png()).pixels, img.PICTURE)


def test_threads_share_the_processes_and_closing_ends_them(decoders: Decoders) -> None:
    with ThreadPoolExecutor(3) as pool:
        slices = list(pool.map(lambda _: decoders.decode(img.png()).pixels, range(30)))
    assert all(np.array_equal(one, img.PICTURE) for one in slices)
    pids = decoders.pids
    assert 1 <= len(pids) <= 3
    decoders.close()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
