"""Measures `POST /upload-data` with one zip of N images: time, and by how much the server's memory grows.

    python -m bench.uploads 500 5000

Each count is a zip of its own for a server of its own, whose slices are all different. Memory is that of the whole
process tree, sampled every 50 ms: before the upload, at its peak and after it.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2

from bench.audit import draw
from bench.machine import RESULTS, description, summary
from bench.server import Server

CLASSES = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")
_BOUNDARY = "b3nch"
_CHUNK = 1 << 20


def main() -> None:
    """Generates, uploads, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", type=int, nargs="*", default=[500, 5000])
    parser.add_argument("--side", type=int, default=256, help="of a slice in pixels")
    parser.add_argument("--model", type=Path, help="bundle to serve; by default the reference model")
    parser.add_argument("--out", type=Path, default=RESULTS / "uploads.json")
    given = parser.parse_args()
    machine = description()
    print(summary(machine))
    rows = []
    for count in given.counts:
        folder = Path(tempfile.mkdtemp(prefix="bench-uploads-"))
        try:
            archive = write_zip(folder / "slices.zip", count, given.side)
            rows.append(measure(archive, count, given.model))
        finally:
            shutil.rmtree(folder)
        print("  ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"machine": machine, "side": given.side, "rows": rows}, indent=1) + "\n")


def write_zip(file: Path, count: int, side: int) -> Path:
    """Writes a zip of so many slices, all different, in folders of the four classes."""
    jobs = [(seed, side) for seed in range(count)]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive, ProcessPoolExecutor() as pool:
        for seed, data in enumerate(pool.map(_encoded, jobs, chunksize=32)):
            archive.writestr(f"{CLASSES[seed % 4]}/{seed:06d}.png", data)
    return file


def _encoded(job: tuple[int, int]) -> bytes:
    return cv2.imencode(".png", draw(*job))[1].tobytes()


def measure(archive: Path, count: int, model: Path | None) -> dict[str, Any]:
    """Uploads a zip to a server of its own and watches it."""
    with Server(model) as server:
        before = server.memory_mb()
        peak = dict(before)
        is_done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(server, peak, is_done))
        watcher.start()
        started_at, used = time.perf_counter(), server.cpu_s()
        report = _upload(server.port, archive)
        wall = time.perf_counter() - started_at
        cpu = server.cpu_s() - used
        is_done.set()
        watcher.join()
        after = server.memory_mb()
    return {
        "images": count,
        "zip_mb": round(archive.stat().st_size / 1e6, 1),
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "before_mb": before["pss"],
        "peak_mb": peak["pss"],
        "after_mb": after["pss"],
        "growth_mb": round(peak["pss"] - before["pss"], 1),
        **{name: report[name] for name in ("accepted", "duplicates", "quarantined", "refused")},
    }


def _watch(server: Server, peak: dict[str, float], is_done: threading.Event) -> None:
    while not is_done.wait(0.05):
        for name, value in server.memory_mb().items():
            peak[name] = max(peak[name], value)


def _upload(port: int, archive: Path) -> dict[str, Any]:
    head = (f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="slices.zip"\r\n\r\n').encode()
    tail = f"\r\n--{_BOUNDARY}--\r\n".encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3600)
    headers = {
        "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
        "Content-Length": str(len(head) + archive.stat().st_size + len(tail)),
    }
    connection.request("POST", "/upload-data", _body(head, archive, tail), headers)
    response = connection.getresponse()
    answer: dict[str, Any] = json.loads(response.read())
    if response.status != 201:
        raise SystemExit(f"the upload was answered {response.status}: {answer}")
    return answer


def _body(head: bytes, archive: Path, tail: bytes) -> Iterator[bytes]:
    yield head
    with archive.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
    yield tail


if __name__ == "__main__":
    main()
