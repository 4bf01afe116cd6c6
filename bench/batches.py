"""Measures batch scoring: N distinct images by one worker on one core, and by two on a core each, in the same run.

    python -m bench.batches 10000

The images are drawn from the real ones by crops, flips and shifts, all different. Each worker is a `hilum worker --only
batches` bound to one core. Two cores that are one core's hyperthreads cannot make twice of one: so the same is
done by bare loops in processes without queue, database or results, and the ratios are compared.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import cv2
import numpy as np
import psutil
from tests.postgresql_server import find_binaries, postgresql_server

from bench import loop, machine
from bench.figures import report, table
from bench.server import hilum_command
from hilum.services.batch_desk import open_batches
from hilum.services.batch_rules import BatchStatus
from hilum.services.batch_sources import local_images, locate
from hilum.services.batches import Batches, StoredBatch
from hilum.services.reference import reference_bundle
from hilum.services.registry import open_registry
from hilum.services.state import StatePlaces, prepare
from hilum.storage.schema import upgrade

_GOAL = 1.8
_GOAL_OF_BARE = 0.9
_BARE_IMAGES = 1500


def main(arguments: Sequence[str] | None = None) -> int:
    """Draws, queues, scores, prints the table and writes the JSON; 1 where two workers are not worth two."""
    options = _parser().parse_args(arguments)
    about = machine.description()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise SystemExit("this needs two cores")
    folder = options.images or Path(mkdtemp(prefix="bench-batches-"))
    try:
        draw(folder, options.n)
        if options.only_draw:
            return 0
        results: dict[str, Any] = {"n": options.n, "database": options.database}
        results["bare"] = _bare(folder, cores)
        with TemporaryDirectory(prefix="bench-batches-home-") as home, _state(options, Path(home)) as places:
            for name, used in (("one", cores[:1]), ("two", cores)):
                results[name] = _scored(places, folder, used)
                print(f"{name}: {results[name]}", file=sys.stderr)
    finally:
        if not options.images:
            shutil.rmtree(folder)
    ratio = results["two"]["images_per_s"] / results["one"]["images_per_s"]
    results["ratio"], results["bare"]["ratio"] = round(ratio, 3), round(results["bare"]["ratio"], 3)
    results["ratio_of_ratios"] = round(ratio / results["bare"]["ratio"], 3)
    report("batches", about, results, _table(results), options.out)
    return 0 if ratio >= _GOAL or results["ratio_of_ratios"] >= _GOAL_OF_BARE else 1


def draw(folder: Path, n: int) -> None:
    """Writes N distinct images, drawn from the real ones, into a folder; those that are there already are left."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = sorted((machine.data_folder() / "chest-ct-scan-images").rglob("*.png"))
    jobs = [(sources[index % len(sources)], folder / f"{index:07d}.png", index) for index in range(n)]
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(_write, jobs, chunksize=16):
            pass


def _write(job: tuple[Path, Path, int]) -> None:
    source, target, seed = job
    if target.is_file():
        return
    picture = cv2.imread(str(source), cv2.IMREAD_GRAYSCALE)
    rng = np.random.default_rng(seed)
    height, width = picture.shape
    top, left = rng.integers(0, height // 25 + 1), rng.integers(0, width // 25 + 1)
    picture = picture[top : height - rng.integers(0, height // 25 + 1), left : width - rng.integers(0, width // 25 + 1)]
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    shifted = np.clip(picture.astype(np.int16) + rng.integers(-6, 7), 0, 255).astype(np.uint8)
    shifted[0, 0] = seed % 251
    cv2.imwrite(str(target), shifted)


def _bare(folder: Path, cores: Sequence[int]) -> dict[str, Any]:
    """Images a second of bare loops on one core and on two, each in a process of its own."""
    files = [file.read_bytes() for file in islice(sorted(folder.iterdir()), _BARE_IMAGES)]
    rates = [_bare_rate(files, used) for used in (cores[:1], cores)]
    return {"one": round(rates[0], 1), "two": round(rates[1], 1), "ratio": rates[1] / rates[0], "images": len(files)}


def _bare_rate(files: Sequence[bytes], cores: Sequence[int]) -> float:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(cores))
    times = context.Queue()
    processes = [context.Process(target=_loop, args=(files, core, barrier, times)) for core in cores]
    for process in processes:
        process.start()
    slowest = max(times.get() for _ in processes)
    for process in processes:
        process.join()
    return len(cores) * len(files) / slowest


def _loop(files: Sequence[bytes], core: int, barrier: Any, times: Any) -> None:
    os.sched_setaffinity(0, {core})
    predictor = loop.load_predictor(None)
    predictor.predict(files[0])
    barrier.wait()
    started_at = time.perf_counter()
    for data in files:
        predictor.predict(data)
    times.put(time.perf_counter() - started_at)


@contextmanager
def _state(options: argparse.Namespace, home: Path) -> Iterator[StatePlaces]:
    """An empty state whose champion is the reference model."""
    with ExitStack() as opened:
        url = None
        if options.database == "postgresql":
            binaries = find_binaries()
            if binaries is None:
                raise SystemExit("postgresql is needed; on Debian: apt-get install postgresql")
            url = opened.enter_context(opened.enter_context(postgresql_server(binaries)).database())
        places = StatePlaces(home, url)
        places.make_home()
        with closing(places.open_database()) as database:
            upgrade(database)
        prepare(places)
        with closing(open_registry(places)) as registry:
            registry.put_first(registry.register(reference_bundle()).version)
        yield places


def _scored(places: StatePlaces, folder: Path, cores: Sequence[int]) -> dict[str, Any]:
    """Queues the images, and starts a worker on each core once they are queued."""
    with closing(open_batches(places, is_audited=False)) as batches, ExitStack() as opened:
        started_at = time.perf_counter()
        queued = batches.add(local_images(locate([folder]), lambda _: None))
        taken_s = time.perf_counter() - started_at
        peak = [0.0]
        roots = [opened.enter_context(_worker(places, core)) for core in cores]
        watcher = threading.Thread(target=_watch, args=(roots, peak), daemon=True)
        watcher.start()
        ended = _wait(batches, queued)
        _check(batches, ended)
    assert ended.started_at is not None
    assert ended.ended_at is not None
    seconds = (ended.ended_at - ended.started_at).total_seconds()
    return {
        "workers": len(cores),
        "images_per_s": round(ended.n_items / seconds, 1),
        "seconds": round(seconds, 1),
        "answered": ended.n_answered,
        "refused": ended.n_refused,
        "taken_per_s": round(ended.n_items / taken_s),
        "peak_rss_mb": round(peak[0] / 1e6 / len(cores)),
    }


@contextmanager
def _worker(places: StatePlaces, core: int) -> Iterator[psutil.Process]:
    environment = os.environ | {"HILUM_HOME": str(places.home), "HILUM_LOG_LEVEL": "warning"}
    environment |= {"HILUM_DATABASE_URL": places.database_url} if places.database_url else {}
    command = ["taskset", "-c", str(core), *hilum_command(), "worker", "--only", "batches"]
    process = subprocess.Popen(command, env=environment)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def _wait(batches: Batches, queued: StoredBatch) -> StoredBatch:
    *_, ended = batches.wait(str(queued.id), every_s=1.0)
    return ended


def _check(batches: Batches, ended: StoredBatch) -> None:
    """Each image has one result.

    Raises:
        SystemExit: it has not.
    """
    indexes = [one.item_index for some in batches.all_results(str(ended.id)) for one in some]
    if ended.status != BatchStatus.DONE or indexes != list(range(ended.n_items)):
        raise SystemExit(f"the batch is {ended.status} with {len(indexes)} results of {ended.n_items}")


def _watch(roots: Sequence[psutil.Process], peak: list[float]) -> None:
    """Peak resident memory of the workers with their processes."""
    while True:
        try:
            tree = [one for root in roots for one in (root, *root.children(recursive=True))]
            peak[0] = max(peak[0], sum(one.memory_info().rss for one in tree))
        except psutil.Error:
            if not any(root.is_running() for root in roots):
                return
        time.sleep(0.2)


def _table(results: dict[str, Any]) -> str:
    header = ("", "images/s", "s", "answered", "refused", "queued/s", "peak MB a worker")
    rows = [
        (
            f"{found['workers']} worker{'s' * (found['workers'] > 1)}", found["images_per_s"], found["seconds"],
            found["answered"], found["refused"], found["taken_per_s"], found["peak_rss_mb"],
        )
        for found in (results["one"], results["two"])
    ]  # fmt: skip
    bare = results["bare"]
    return (
        f"{table(header, rows)}\n\n{results['n']} images, {results['database']}. Two workers make {results['ratio']} "
        f"times of one. Bare loops of {bare['images']} images make {bare['one']} and {bare['two']} images/s on one and "
        f"two cores: {bare['ratio']} times. The ratio of the ratios is {results['ratio_of_ratios']}."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n", type=int, nargs="?", default=10_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--images", type=Path, help="folder to draw into and keep; what is there is used again")
    parser.add_argument("--only-draw", action="store_true", help="draw the images and end")
    parser.add_argument("--out", type=Path, help="JSON file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
