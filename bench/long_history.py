"""Measures pages, filters and figures over a long history: a million predictions, in SQLite and in PostgreSQL."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import text
from tests.postgresql_server import find_binaries, postgresql_server

from bench import machine
from bench.figures import report, table
from bench.topology import Instance
from hilum.services.state import StatePlaces
from hilum.storage import predictions
from hilum.storage.predictions import StoredPrediction

_LONGEST_MS = 100.0
_CLASSES = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")
_RARE = "efficientnet-lite0-rare"
_MODEL = "efficientnet-lite0-20261126-fb31cd65"
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_PATTERNS = 20
_AT_ONCE = 10_000

_COPIED = "is_image_kept, predicted_class, decision, latency_ms, answer, provenance_digest, kept_sha256, statistics "
_INTO = f"INSERT INTO predictions ({_COPIED}, id, created_at, image_sha256, model_version) "
_COPY_SQLITE = f"""WITH RECURSIVE numbers(n) AS
(SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last),
patterns AS MATERIALIZED (SELECT row_number() OVER (ORDER BY created_at) - 1 AS pattern, * FROM predictions
ORDER BY created_at LIMIT {_PATTERNS})
{_INTO} SELECT {_COPIED}, lower(hex(randomblob(16))),
strftime('%Y-%m-%d %H:%M:%S', '2026-01-01', '+' || (10 * n) || ' seconds') || '.000000',
lower(hex(randomblob(32))), :model FROM numbers JOIN patterns ON pattern = n % {_PATTERNS}"""
_COPY_POSTGRESQL = f"""WITH patterns AS MATERIALIZED
(SELECT row_number() OVER (ORDER BY created_at) - 1 AS pattern, * FROM predictions
ORDER BY created_at LIMIT {_PATTERNS})
{_INTO} SELECT {_COPIED}, gen_random_uuid(),
timestamptz '2026-01-01 00:00:00+00' + make_interval(secs => 10 * n),
md5(random()::text) || md5(random()::text), :model
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n JOIN patterns ON pattern = mod(n, {_PATTERNS})"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fills both databases, asks, prints the table and writes the JSON; 1 where a median is above 100 ms."""
    options = _parser().parse_args(arguments)
    about = machine.description()
    results: dict[str, Any] = {"rows": options.rows, "databases": {}}
    with TemporaryDirectory(prefix="hilum-long-") as folder:
        for name in options.databases:
            with _database(name, Path(folder) / name) as environment:
                results["databases"][name] = _measure(environment, Path(folder) / name, options)
                print(f"{name}: {results['databases'][name]}", file=sys.stderr)
    worst = max(found["median_ms"] for asked in results["databases"].values() for found in asked["questions"].values())
    results["worst_median_ms"] = worst
    report("long-history", about, results, _table(results), options.out)
    return 1 if worst > _LONGEST_MS else 0


def _measure(environment: dict[str, str], folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    instance = Instance(0, environment, folder)
    instance.command("db", "upgrade")
    filled_s = fill(StatePlaces(instance.home, environment.get("HILUM_DATABASE_URL")), options.rows)
    instance.start()
    try:
        instance.wait_until_ready()
        questions = {
            name: _ask(instance.port, path, accept, options.times) for name, path, accept in _questions(options)
        }
    finally:
        instance.terminate()
    file = instance.home / "hilum.db"
    size_mb = round(file.stat().st_size / 1e6) if file.exists() else None
    return {"filled_s": round(filled_s, 1), "size_mb": size_mb, "questions": questions}


def _questions(options: argparse.Namespace) -> Iterator[tuple[str, str, str]]:
    """What is asked; the filters include ones that few rows meet, which find their page last."""
    middle = (_FIRST + timedelta(seconds=10 * options.rows // 2)).isoformat().replace("+00:00", "Z")
    json_ = "application/json"
    yield "newest page of 50", "/predictions?limit=50", json_
    yield "page from the middle", f"/predictions?limit=50&until={middle}", json_
    yield "one class", "/predictions?limit=50&predicted_class=normal", json_
    yield "for review (5 %)", "/predictions?limit=50&decision=review", json_
    yield "for review, from the middle", f"/predictions?limit=50&decision=review&until={middle}", json_
    yield "a model with 20 rows, all old", f"/predictions?limit=50&model_version={_RARE}", json_
    yield "a model nobody knows", "/predictions?limit=50&model_version=none", json_
    yield "metrics, as JSON", "/metrics", json_
    yield "metrics, for Prometheus", "/metrics", "text/plain"


def _ask(port: int, path: str, accept: str, times: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    spent = []
    for _ in range(times):
        started_at = time.perf_counter()
        connection.request("GET", path, headers={"Accept": accept})
        response = connection.getresponse()
        body = response.read()
        spent.append((time.perf_counter() - started_at) * 1000)
        if response.status != 200:
            raise SystemExit(f"{path} was answered {response.status}: {body[:300]!r}")
    items = len(json.loads(body)["items"]) if path.startswith("/predictions") else None
    connection.close()
    return {"n": times, "median_ms": round(median(spent), 1), "max_ms": round(max(spent), 1), "items": items}


def fill(places: StatePlaces, rows: int) -> float:
    """Adds so many predictions, ten seconds apart: twenty as the service stores them, the others as copies of those.

    Returns:
        Seconds it took.
    """
    started_at = time.monotonic()
    rng = random.Random(0)
    with closing(places.open_database()) as database:
        is_sqlite = database.engine.dialect.name == "sqlite"
        with database.writing() as connection:
            predictions.add_provenance(connection, "0" * 64, {})
            predictions.add(connection, [_prediction(number, rng) for number in range(_PATTERNS)])
        copy = _COPY_SQLITE if is_sqlite else _COPY_POSTGRESQL
        for first in range(_PATTERNS, rows, _AT_ONCE):  # a statement may take 5 s
            with database.writing() as connection:
                last = min(first + _AT_ONCE, rows) - 1
                connection.execute(text(copy), {"first": first, "last": last, "model": _MODEL})
        if not is_sqlite:  # as autovacuum does; hilum never asks SQLite to
            with database.writing() as connection:
                connection.execute(text("ANALYZE predictions"))
    return time.monotonic() - started_at


def _prediction(number: int, rng: random.Random) -> StoredPrediction:
    predicted_class = _CLASSES[number % 4]
    probabilities = {name: 0.97 if name == predicted_class else 0.01 for name in _CLASSES}
    decision = "review" if number == 0 else "confident"
    answer = {
        "predicted_class": predicted_class, "probabilities": probabilities, "cancer_probability": 0.97,
        "decision": decision, "prediction_set": [predicted_class], "warnings": [], "model_version": _RARE,
        "latency_ms": 12.5, "training_match": None, "stored": True,
    }  # fmt: skip
    return StoredPrediction(
        uuid.UUID(int=rng.getrandbits(128), version=4), _FIRST + timedelta(seconds=10 * number),
        f"{rng.getrandbits(256):064x}", is_image_kept=True, predicted_class=predicted_class, decision=decision,
        model_version=_RARE, latency_ms=12.5, answer=answer, provenance_digest="0" * 64,
    )  # fmt: skip


@contextmanager
def _database(name: str, folder: Path) -> Iterator[dict[str, str]]:
    """The settings of a server over one kind of database."""
    folder.mkdir()
    environment = os.environ | {"HILUM_RATE_LIMIT": "0"}
    if name == "SQLite":
        yield environment
        return
    binaries = find_binaries()
    if binaries is None:
        raise SystemExit("postgresql is needed; on Debian: apt-get install postgresql")
    with postgresql_server(binaries) as server, server.database() as url:
        yield environment | {"HILUM_DATABASE_URL": url}


def _table(results: dict[str, Any]) -> str:
    rows = [
        (name, question, found["items"] if found["items"] is not None else "-", found["median_ms"], found["max_ms"])
        for name, asked in results["databases"].items()
        for question, found in asked["questions"].items()
    ]
    shown = table((f"{results['rows']:,} rows in", "asked for", "items", "median ms", "max ms"), rows)
    filled = ", ".join(f"{name} {asked['filled_s']:.0f} s" for name, asked in results["databases"].items())
    return f"{shown}\n\nfilled in: {filled}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.long_history", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--databases", nargs="+", choices=["SQLite", "PostgreSQL"], default=["SQLite", "PostgreSQL"])
    parser.add_argument("--out", type=Path, help="JSON file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
