"""Measures what history, audit log and access control cost `POST /predict`, against the same server without them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.postgresql_server import find_binaries, postgresql_server

from bench import machine, wrk
from bench.figures import report, spread, table
from bench.server import Server
from bench.topology import run_command

_WITHOUT = "no history"
_LEAST_SHARE = 0.85
_BARE = {"HILUM_AUDIT_LOG": "false"}
_GUARDED = {"HILUM_API_KEYS_REQUIRED": "true", "HILUM_RATE_LIMIT": "1000000"}
_JUDGED = ("SQLite", "SQLite, audit log and keys", "PostgreSQL", "PostgreSQL, audit log and keys")


@dataclass
class _Found:
    """What the rounds found of one way to keep a history."""

    loads: list[wrk.Load] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table and writes the JSON; 1 where a database costs more than 15 % of the throughput."""
    options = _parser().parse_args(arguments)
    wrk.check_installed()
    about = machine.description()
    files = machine.test_files(machine.data_folder())
    with ExitStack() as stack:
        found = _measure(_ways(_new_database(stack)), files, options)
    results = _summarised(found) | {"settings": {"rounds": options.rounds, "seconds": options.seconds}}
    report("history", about, results, _table(results), options.out)
    judged = (results["ways"][name]["share_of_throughput"]["median"] for name in _JUDGED if name in results["ways"])
    return 1 if min(judged) < _LEAST_SHARE else 0


def _new_database(stack: ExitStack) -> str | None:
    """The address of an empty database on a PostgreSQL server that runs until `stack` ends; None without PostgreSQL."""
    binaries = find_binaries()
    if binaries is None:
        return None
    url = stack.enter_context(stack.enter_context(postgresql_server(binaries)).database())
    run_command(os.environ | {"HILUM_DATABASE_URL": url}, "db", "upgrade")
    return url


def _ways(postgresql: str | None) -> dict[str, dict[str, str]]:
    ways = {
        _WITHOUT: {"HILUM_HISTORY": "false"},
        "SQLite": _BARE,
        "SQLite, no images": _BARE | {"HILUM_KEEP_IMAGES": "false"},
        "SQLite, audit log": {},
        "SQLite, audit log and keys": _GUARDED,
    }
    if postgresql:
        database = {"HILUM_DATABASE_URL": postgresql}
        ways["PostgreSQL"] = database | _BARE
        ways["PostgreSQL, audit log and keys"] = database | _GUARDED
    return ways


def _measure(ways: dict[str, dict[str, str]], files: list[Path], options: argparse.Namespace) -> dict[str, _Found]:
    """Each round gives every way its turn, in another order, so that a drifting machine touches all alike."""
    found = {name: _Found() for name in ways}
    names = list(ways)
    with ExitStack() as running:
        made = {name: Server(options.model, settings) for name, settings in ways.items()}
        keys = {
            name: made[name].new_key() if settings.items() >= _GUARDED.items() else ""
            for name, settings in ways.items()
        }
        servers = {name: running.enter_context(server) for name, server in made.items()}
        for name, server in servers.items():
            wrk.run(server.port, files, connections=options.connections, seconds=2, key=keys[name])
        for number in range(options.rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                used = servers[name].cpu_s()
                load = wrk.run(
                    servers[name].port, files, connections=options.connections, seconds=options.seconds, key=keys[name]
                )
                found[name].loads.append(load)
                found[name].cpu_ms.append((servers[name].cpu_s() - used) * 1000 / max(load.requests, 1))
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    return found


def _summarised(found: dict[str, _Found]) -> dict[str, Any]:
    """Shares are of the same round, then summarised."""
    base = found[_WITHOUT]
    ways = {}
    for name, this in found.items():
        shares = [a.requests_per_s / b.requests_per_s for a, b in zip(this.loads, base.loads, strict=True)]
        cpu_shares = [a / b for a, b in zip(this.cpu_ms, base.cpu_ms, strict=True)]
        ways[name] = {
            "requests_per_s": spread([load.requests_per_s for load in this.loads]),
            "share_of_throughput": spread(shares, digits=3),
            "p95_ms": round(median(load.p95_ms for load in this.loads), 1),
            "server_cpu_ms": round(median(this.cpu_ms), 2),
            "share_of_cpu": spread(cpu_shares, digits=3),
            "requests": sum(load.requests for load in this.loads),
            "errors": sum(load.errors for load in this.loads),
        }
    return {"ways": ways}


def _table(results: dict[str, Any]) -> str:
    header = (
        "history",
        "requests/s",
        "of no history",
        "least to most",
        "p95 ms",
        "server cpu ms",
        "requests",
        "errors",
    )
    rows = []
    for name, way in results["ways"].items():
        share = way["share_of_throughput"]
        between = f"{share['min']:.0%} to {share['max']:.0%}"
        rows.append(
            (
                name, way["requests_per_s"]["median"], f"{share['median']:.0%}", between, way["p95_ms"],
                f"{way['server_cpu_ms']} ({way['share_of_cpu']['median']:.0%})", way["requests"], way["errors"],
            )
        )  # fmt: skip
    return table(header, rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.history", description=__doc__)
    parser.add_argument("--model", type=Path, help="bundle to serve; by default the reference model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=8, help="of each measurement in a round")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--out", type=Path, help="JSON file; by default one in bench/results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
