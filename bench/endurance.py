"""Runs the trials of `bench.trials` and says what each found; the door of `make endurance`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.postgresql_server import find_binaries, postgresql_server

from bench import loop, machine, trials
from bench.figures import report, table
from bench.topology import Instance
from bench.trials import Told

_AWAY_S = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the trials asked for, prints the table and writes the JSON; 1 where one did not hold."""
    options = _parser().parse_args(arguments)
    about = machine.description()
    files = loop.answered_files(machine.test_files(machine.data_folder()), None)[:64]
    named = [(file.name, file.read_bytes()) for file in files]
    environment = os.environ | {"HILUM_RATE_LIMIT": "0"}
    runs: dict[str, Callable[[], Told]] = {
        "kill": lambda: trials.kills(named, environment, options.kills),
        "database": lambda: _with_postgresql(named, environment),
        "disk": lambda: trials.disk_full(named, environment),
        "sigterm": lambda: trials.sigterm(named, environment, options.sigterms),
        "model": lambda: trials.damaged_model(named, environment),
    }
    found: dict[str, Told] = {}
    for name in options.trials or runs:
        found[name] = runs[name]()
        print(f"{name}: {'held' if found[name].held else 'DID NOT HOLD'}: {found[name].note}", file=sys.stderr)
    rows = [(name, told.n, "yes" if told.held else "NO", told.note) for name, told in found.items()]
    results = {name: asdict(told) for name, told in found.items()}
    report("endurance", about, results, table(("trial", "n", "held", "what was found"), rows), options.out)
    return 0 if all(told.held for told in found.values()) else 1


def _with_postgresql(named: trials.Named, environment: dict[str, str]) -> Told:
    binaries = find_binaries()
    if binaries is None:
        raise SystemExit("postgresql is needed; on Debian: apt-get install postgresql")
    with postgresql_server(binaries) as server, server.database() as url:
        given = environment | {"HILUM_DATABASE_URL": url}
        Instance(0, given, Path()).command("db", "upgrade")
        return trials.database_away(named, given, server, _AWAY_S)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.endurance", description=__doc__)
    parser.add_argument("trials", nargs="*", choices=[[], "kill", "database", "disk", "sigterm", "model"])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--sigterms", type=int, default=10)
    parser.add_argument("--out", type=Path, help="JSON file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
