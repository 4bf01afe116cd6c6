"""Measures how what is done with a data set grows with its images, on generated rows, fingerprints and features.

    python -m bench.growth --counts 10000 100000

Each part runs in a process of its own, whose peak memory is told. No picture is decoded: that grows with the images
alone, and `bench.audit` measures it.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import resource
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert
from tests.postgresql_server import find_binaries, postgresql_server

from bench import machine
from bench.figures import report, table
from hilum.dataset.alignment import CANDIDATES
from hilum.dataset.audit.auditing import checked
from hilum.dataset.audit.evidence import gather
from hilum.dataset.groups import NEAR_COPY
from hilum.dataset.manifest import DatasetManifest, ImageRecord
from hilum.dataset.neighbours import HEIGHT, WIDTH, near_pairs, nearest_few
from hilum.dataset.scan import Scan
from hilum.services.dataset_overview import overview
from hilum.services.snapshots import freeze
from hilum.storage import labelled_images
from hilum.storage.database import Database, take_time
from hilum.storage.dataset_tables import UploadBatchRow
from hilum.storage.labelled_images import NewImage
from hilum.storage.schema import upgrade

_CLASSES = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")
_HELD_OUT = 2_000
_LOOKS = 5
_JOINED = 200
_Part = Callable[[int, Path], dict[str, float]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures each part at each count, prints the table and writes the JSON."""
    options = _parser().parse_args(arguments)
    about = machine.description()
    results = []
    for name in options.parts:
        for count in options.counts:
            measured = _aside(_PARTS[name], count)
            results.append({"part": name, "images": count, **measured})
            print(results[-1], file=sys.stderr)
    report("growth", about, {"rows": results}, _table(results), options.out)
    return 0


def _aside(part: _Part, count: int) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(part, count, theirs))
    process.start()
    measured: dict[str, Any] = ours.recv()
    process.join()
    return measured


def _run(part: _Part, count: int, pipe: Connection) -> None:
    with TemporaryDirectory(prefix="bench-growth-") as folder:
        steps = part(count, Path(folder))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    pipe.send({"steps_s": {name: round(spent, 2) for name, spent in steps.items()}, "peak_mb": round(peak_mb)})


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started_at = time.perf_counter()
    made = work()
    return time.perf_counter() - started_at, made


def _manifest(count: int, folder: Path) -> dict[str, float]:
    """Write, read and name a manifest."""
    records = tuple(
        ImageRecord(
            path=f"train/{_CLASSES[n % 4]}/{n}.png", sha256=_digest(n), class_name=_CLASSES[n % 4], split="train",
            group=f"g{n // 10}", source="generated", file_format="png", width=512, height=512, mode="L",
            size_bytes=100_000,
        )
        for n in range(count)
    )  # fmt: skip
    manifest = DatasetManifest(root=folder, source="generated", class_names=_CLASSES, records=records)
    save_s, _ = _timed(lambda: manifest.save(folder / "manifest.json"))
    load_s, loaded = _timed(lambda: DatasetManifest.load(folder / "manifest.json"))
    digest_s, _ = _timed(lambda: loaded.digest)
    return {"save": save_s, "load": load_s, "digest": digest_s}


def _snapshot_sqlite(count: int, folder: Path) -> dict[str, float]:
    """Freeze the labelled images of an SQLite file."""
    return _snapshot(f"sqlite:///{folder / 'hilum.db'}", count)


def _snapshot_postgresql(count: int, _: Path) -> dict[str, float]:
    """Freeze the labelled images of a PostgreSQL database."""
    with _postgresql() as url:
        return _snapshot(url, count)


@contextmanager
def _postgresql() -> Iterator[str]:
    binaries = find_binaries()
    if binaries is None:
        raise SystemExit("postgresql is needed; on Debian: apt-get install postgresql")
    with postgresql_server(binaries) as server, server.database() as url:
        yield url


def _snapshot(url: str, count: int) -> dict[str, float]:
    with closing(Database(url)) as database:
        upgrade(database)
        _fill(database, count)
        used_s = [time.process_time()]
        first_s, made = _timed(lambda: freeze(database))
        used_s.append(time.process_time())
        again_s, found = _timed(lambda: freeze(database))
        used_s.append(time.process_time())
    if found.digest != made.digest or len(made.images) != count:
        raise SystemExit("the snapshot is not what was stored")
    first_used_s, again_used_s = np.diff(used_s).tolist()
    return {"freeze": first_s, "(processor)": first_used_s, "again": again_s, "(processor, again)": again_used_s}


def _overview_sqlite(count: int, folder: Path) -> dict[str, float]:
    """Look at the labelled images of an SQLite file as a whole."""
    return _overview(f"sqlite:///{folder / 'hilum.db'}", count)


def _overview_postgresql(count: int, _: Path) -> dict[str, float]:
    """Look at the labelled images of a PostgreSQL database as a whole."""
    with _postgresql() as url:
        return _overview(url, count)


def _overview(url: str, count: int) -> dict[str, float]:
    with closing(Database(url)) as database:
        upgrade(database)
        _fill(database, count, noted_every=20)
        if database.engine.dialect.name == "postgresql":  # what the server does by itself within minutes
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE labelled_images")
        timed = [_timed(lambda: overview(database)) for _ in range(_LOOKS)]
    if sum(one.count for one in timed[0][1].distribution) != count:
        raise SystemExit("the overview is not of what was stored")
    return {"look": median(spent_s for spent_s, _ in timed)}


def _joining_sqlite(count: int, folder: Path) -> dict[str, float]:
    """Join groups of the labelled images of an SQLite file."""
    return _joining(f"sqlite:///{folder / 'hilum.db'}", count)


def _joining_postgresql(count: int, _: Path) -> dict[str, float]:
    """Join groups of the labelled images of a PostgreSQL database."""
    with _postgresql() as url:
        return _joining(url, count)


def _joining(url: str, count: int) -> dict[str, float]:
    with closing(Database(url)) as database:
        upgrade(database)
        _fill(database, count)
        names = [f"g{number}" for number in range(0, count // 10, max(1, count // 10 // _JOINED))][:_JOINED]
        steps = {
            "join": dict(zip(names, _marked(names), strict=True)),
            "undo": dict(zip(_marked(names), names, strict=True)),
        }
        return {step: _timed(partial(_rename, database, renamed))[0] for step, renamed in steps.items()}


def _marked(names: Sequence[str]) -> list[str]:
    return [f"joined-{name}" for name in names]


def _rename(database: Database, renamed: dict[str, str]) -> None:
    with database.writing() as connection:
        take_time(connection)
        labelled_images.join_groups(connection, renamed)


def _fill(database: Database, count: int, noted_every: int | None = None) -> None:
    batch, now, blob = uuid.uuid4(), datetime.now(UTC), bytes(6912)
    with database.writing() as connection:
        connection.execute(
            insert(UploadBatchRow).values(
                id=batch, created_at=now, source="import", actor="cli", accepted=count, duplicates=0, quarantined=0,
                refused=0, items=[],
            )
        )  # fmt: skip
        images = (_image(n, batch, now, blob) for n in range(count))
        if noted_every is not None:
            reasons = [{"code": "near-copy", "detail": "nearly the same picture", "image_id": str(batch)}]
            images = (replace(one, reasons=[] if n % noted_every else reasons) for n, one in enumerate(images))
        labelled_images.add(connection, images, after=0)


def _image(number: int, batch: uuid.UUID, now: datetime, blob: bytes) -> NewImage:
    return NewImage(
        uuid.uuid4(), 0, batch, _digest(number), _CLASSES[number % 4], f"g{number // 10}",
        "test" if number % 5 == 0 else "train", "import", "accepted", [], now, "png", "L", 512, 512, 100_000,
        _digest(number), _digest(number), blob[:512], blob,
    )  # fmt: skip


def _compare(count: int, _: Path) -> dict[str, float]:
    """Find near copies among all, and the four nearest of 2,000 held-out images in the rest."""
    prints = _fingerprints(count)
    pairs_s, _ = _timed(lambda: sum(left.size for left, *_ in near_pairs(prints, threshold=NEAR_COPY)))
    held_out = min(_HELD_OUT, count // 5)
    nearest_s, _ = _timed(lambda: nearest_few(prints[:held_out], prints[held_out:], CANDIDATES))
    return {"near copies": pairs_s, f"nearest of {held_out}": nearest_s}


def _audit(count: int, folder: Path) -> dict[str, float]:
    """Compare and check in full, a fifth held out, without reading pictures and without probe or shortcuts."""
    records = tuple(
        ImageRecord(
            path=f"{split}/{_CLASSES[n % 4]}/{n}.png", sha256=_digest(n), class_name=_CLASSES[n % 4], split=split,
            group=f"g{n}", source="generated", file_format="png", width=512, height=512, mode="L", size_bytes=100_000,
        )
        for n, split in ((n, "train" if n % 5 else "test") for n in range(count))
    )  # fmt: skip
    manifest = DatasetManifest(root=folder, source="generated", class_names=_CLASSES, records=records)
    empty = np.empty((count, 0))
    scan = Scan(manifest, _fingerprints(count), empty.astype(np.uint8), empty.astype(np.float32))
    gather_s, evidence = _timed(lambda: gather(scan, lambda *_: None))
    check_s, _ = _timed(lambda: checked(evidence, lambda *_: None))
    return {"compare": gather_s, "check": check_s}


def _head(count: int, folder: Path) -> dict[str, float]:
    """Renew the reference model's head."""
    from bench.generated_run import renew_generated  # its imports would count as memory of the other parts

    return renew_generated(count, folder)


def _fingerprints(count: int) -> NDArray[np.uint8]:
    """Smooth noise, about as alike as slices of different patients."""
    rng = np.random.default_rng(0)
    common = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 12)
    common /= common.std()
    made = np.empty((count, HEIGHT * WIDTH), np.uint8)
    for row in range(count):
        own = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 3)
        made[row] = np.clip(128 + 40 * (common + own / own.std()), 0, 255).astype(np.uint8).ravel()
    return made


def _digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


_PARTS: dict[str, _Part] = {
    "manifest": _manifest,
    "snapshot, SQLite": _snapshot_sqlite,
    "snapshot, PostgreSQL": _snapshot_postgresql,
    "overview, SQLite": _overview_sqlite,
    "overview, PostgreSQL": _overview_postgresql,
    "joining, SQLite": _joining_sqlite,
    "joining, PostgreSQL": _joining_postgresql,
    "compare": _compare,
    "audit": _audit,
    "head": _head,
}


def _table(rows: Sequence[dict[str, Any]]) -> str:
    shown = [
        (row["part"], f"{row['images']:,}", ", ".join(f"{name} {spent} s" for name, spent in row["steps_s"].items()),
         row["peak_mb"])
        for row in rows
    ]  # fmt: skip
    return table(("part", "images", "took", "peak MB"), shown)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--parts", nargs="+", choices=list(_PARTS), default=list(_PARTS))
    parser.add_argument("--out", type=Path, help="JSON file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
