"""Measures `hilum audit` on N generated slices with planted copies: time, memory, and how many of them it finds.

    python -m bench.audit 10000

The slices are phantoms with random anatomy and texture, all different. Planted among them: byte copies, near copies
(recompressed, resized, darker), and the same slice under another crop. The planted pairs stand in different splits.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
from numpy.typing import NDArray

from bench.machine import RESULTS, description, summary
from hilum.imaging.phantoms import draw_phantom

CLASSES = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")
KINDS = ("byte", "near", "crop")
SHARE = 0.02
"""Of each kind of planted copy, in the number of images."""


def main() -> None:
    """Generates, audits in a process of its own, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n", type=int, nargs="?", default=10_000)
    parser.add_argument("--side", type=int, default=512, help="of a slice in pixels")
    parser.add_argument("--keep", type=Path, help="folder to generate into and keep; used again where it is there")
    parser.add_argument("--no-probe", action="store_true", help="leave the probe and the shortcuts out")
    parser.add_argument("--out", type=Path, default=RESULTS / "audit.json")
    given = parser.parse_args()
    machine = description()
    print(summary(machine))
    folder = given.keep or Path(tempfile.mkdtemp(prefix="bench-audit-"))
    try:
        planted = generate(folder, given.n, given.side)
        figures = measure(folder, planted, with_probe=not given.no_probe)
    finally:
        if not given.keep:
            shutil.rmtree(folder)
    for name, value in figures.items():
        print(f"{name:>28}  {value}")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"machine": machine, "n": given.n, "side": given.side, **figures}, indent=1) + "\n")


def generate(folder: Path, n: int, side: int) -> dict[str, list[str]]:
    """Writes N images and returns the planted copies' paths by kind; an earlier call's files are used again."""
    listing = folder / ".planted.json"
    if listing.is_file():
        return json.loads(listing.read_text())
    copies = round(SHARE * n)
    originals = n - len(KINDS) * copies
    for split in ("train", "test"):
        for name in CLASSES:
            (folder / split / name).mkdir(parents=True, exist_ok=True)
    planted: dict[str, list[str]] = {kind: [] for kind in KINDS}
    jobs = []
    for index in range(originals):
        kinds = [kind for place, kind in enumerate(KINDS) if place * copies <= index < (place + 1) * copies]
        name = CLASSES[index % len(CLASSES)]
        jobs.append((folder, index, name, kinds, side))
        planted_kind = kinds[0] if kinds else ""
        if planted_kind:
            planted[planted_kind].append(f"test/{name}/{index:06d}-{planted_kind}.png")
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(_write, jobs, chunksize=32):
            pass
    listing.write_text(json.dumps(planted))
    return planted


def _write(job: tuple[Path, int, str, list[str], int]) -> None:
    folder, index, name, kinds, side = job
    picture = draw(index, side)
    split = "train" if kinds or index % 4 else "test"
    original = folder / split / name / f"{index:06d}.png"
    cv2.imwrite(str(original), picture)
    rng = np.random.default_rng(index + 10_000_000)
    for kind in kinds:
        target = folder / "test" / name / f"{index:06d}-{kind}.png"
        if kind == "byte":
            shutil.copyfile(original, target)
        elif kind == "near":
            darker = np.clip(picture * rng.uniform(0.75, 0.95) + rng.normal(0, 3, picture.shape), 0, 255)
            cv2.imwrite(str(target), cv2.resize(darker.astype(np.uint8), None, fx=0.8, fy=0.8))
        else:
            cv2.imwrite(str(target), crop_into_body(picture, rng))


def draw(seed: int, side: int) -> NDArray[np.uint8]:
    """A phantom whose body, lungs and texture differ from every other seed's as two patients' do."""
    rng = np.random.default_rng(seed)
    small = side // 2
    field = cv2.GaussianBlur(rng.normal(0, 1, (small, small)).astype(np.float32), (0, 0), small / 22)
    field /= max(float(np.abs(field).max()), 1e-6)
    phantom = draw_phantom(seed, side=small)
    textured = phantom + 110 * field * (phantom > 0)
    stretch = np.array([[rng.uniform(0.85, 1), 0, 0], [0, rng.uniform(0.85, 1), 0]], np.float32)
    stretch[:, 2] = small / 2 * (1 - np.diag(stretch[:, :2]))
    warped = cv2.warpAffine(np.clip(textured, 0, 255).astype(np.uint8), stretch, (small, small))
    return np.asarray(cv2.resize(warped, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def crop_into_body(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cuts the margin and 1 to 3 per cent of the body away on each side, as a crop by hand does."""
    rows, columns = np.flatnonzero(picture.max(axis=1) > 40), np.flatnonzero(picture.max(axis=0) > 40)
    cuts = rng.uniform(0.01, 0.03, 4)
    height, width = np.ptp(rows), np.ptp(columns)
    top, bottom = rows[0] + cuts[0] * height, rows[-1] - cuts[1] * height
    left, right = columns[0] + cuts[2] * width, columns[-1] - cuts[3] * width
    return picture[int(top) : int(bottom), int(left) : int(right)]


def measure(folder: Path, planted: dict[str, list[str]], *, with_probe: bool) -> dict[str, Any]:
    """Runs `hilum audit --json` and watches it."""
    command = [sys.executable, "-c", "from hilum.cli import main; main()", "audit", str(folder), "--json"]
    if not with_probe:
        command.append("--no-probe")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    peak = [0]
    watcher = threading.Thread(target=_watch, args=(process.pid, peak), daemon=True)
    watcher.start()
    output, _ = process.communicate()
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(f"the audit ended with {process.returncode}")
    found = json.loads(output)
    files = {finding["code"]: set(finding["files"]) for finding in found["findings"]}
    return {
        "images": found["n_images"],
        "wall_s": round(wall, 1),
        "user_s": round(after.ru_utime - before.ru_utime, 1),
        "system_s": round(after.ru_stime - before.ru_stime, 1),
        "peak_rss_mb": round(peak[0] / 1e6, 1),
        "load": [round(value, 2) for value in os.getloadavg()],
        "recall_byte_copies": _recall(planted["byte"], files.get("byte-copies", set())),
        "recall_near_copies": _recall(planted["near"], files.get("near-copies", set())),
        "recall_other_crop": _recall(
            planted["crop"], files.get("hidden-copies", set()) | files.get("near-copies", set())
        ),
        "near_copy_files": len(files.get("near-copies", set())),
        "hidden_copy_files": len(files.get("hidden-copies", set())),
    }


def _watch(pid: int, peak: list[int]) -> None:
    """Peak resident memory of the process and its children, every 50 ms; a counter of the kernel misses children."""
    try:
        process = psutil.Process(pid)
        while process.is_running():
            tree = [process, *process.children(recursive=True)]
            peak[0] = max(peak[0], sum(one.memory_info().rss for one in tree))
            time.sleep(0.05)
    except psutil.Error:
        return


def _recall(planted: list[str], found: set[str]) -> str:
    hits = sum(path in found for path in planted)
    return f"{hits} of {len(planted)}"


if __name__ == "__main__":
    main()
