"""Compares ways to schedule the threads of `hilum serve` by how soon it refuses beyond saturation, and what they cost.

One server for each way, all in one run; each round asks every one of them in turn, in another order.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench import loop, machine, wrk
from bench.client import predict_request
from bench.figures import report, table
from bench.overload import exchanged, summarised
from bench.server import Server

_WAYS = {
    "as it starts": {},
    "switch 1 ms": {"TRIAL_SWITCH_S": "0.001"},
    "switch 0.5 ms": {"TRIAL_SWITCH_S": "0.0005"},
    "computing at nice 5": {"TRIAL_COMPUTE_NICE": "5"},
    "storing at nice 1": {"TRIAL_STORE_NICE": "1"},
}
_PATCH = """
import os, sys, threading

if "TRIAL_SWITCH_S" in os.environ:
    sys.setswitchinterval(float(os.environ["TRIAL_SWITCH_S"]))
set_priority, run = os.setpriority, threading.Thread.run


def step_back(which, who, value):
    is_computing = threading.current_thread().name.startswith("hilum-compute")
    set_priority(which, who, int(os.environ.get("TRIAL_COMPUTE_NICE", value)) if is_computing else value)


def begin(self):
    if self.name.startswith(("hilum-history", "hilum-image-put")):
        set_priority(os.PRIO_PROCESS, threading.get_native_id(), int(os.environ.get("TRIAL_STORE_NICE", "0")))
    run(self)


os.setpriority, threading.Thread.run = step_back, begin
"""
"""Python runs it before anything else of a server (`sitecustomize`), so that no setting is needed for what is tried."""

_SHOWN = ("closed_per_s", "goodput_per_s", "answered_p99_ms", "refused_p50_ms", "refused_p99_ms", "health_p99_ms")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table and writes the JSON."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if unknown := set(options.ways) - set(_WAYS):
        parser.error(f"there is no way called {', '.join(sorted(unknown))}")
    wrk.check_installed()
    about = machine.description()
    files = loop.answered_files(machine.test_files(machine.data_folder()), None)
    ways = {name: _WAYS[name] for name in options.ways or _WAYS}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    servers, generators = machine.divided_cores()
    with ExitStack() as stack:
        patch = stack.enter_context(TemporaryDirectory(prefix="hilum-bench-"))
        (Path(patch) / "sitecustomize.py").write_text(_PATCH)
        path = os.pathsep.join(filter(None, (patch, os.environ.get("PYTHONPATH"))))
        machine.stay_on(servers)
        running = {
            name: stack.enter_context(Server(None, settings | {"PYTHONPATH": path})) for name, settings in ways.items()
        }
        machine.stay_on(generators)
        loads = [wrk.run(one.port, files, connections=16, seconds=3) for one in running.values()]
        rate = options.times * loads[0].requests_per_s
        names = list(ways)
        for number in range(options.rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                found[name].append(_measure(running[name].port, files, rate, options.seconds))
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    results: dict[str, Any] = {"offered_per_s": rate, "ways": found}
    report("refusals", about, results, _table(found), options.out)
    return 0


def _measure(port: int, files: Sequence[Path], rate: float, seconds: int) -> dict[str, float]:
    """Beyond saturation (open loop), and at it (closed loop)."""
    sent, probes = asyncio.run(exchanged(port, [predict_request(file) for file in files], rate, seconds))
    load = wrk.run(port, files, connections=16, seconds=seconds)
    return summarised(sent, probes, rate, seconds) | {"closed_per_s": load.requests_per_s}


def _table(found: dict[str, list[dict[str, float]]]) -> str:
    """Medians; and in how many rounds a way refused sooner than the first one did."""
    first = next(iter(found.values()))
    rows = [
        (
            name,
            *(round(median(one[key] for one in rounds), 1) for key in _SHOWN),
            f"{sum(a['refused_p99_ms'] < b['refused_p99_ms'] for a, b in zip(rounds, first, strict=True))} of "
            f"{len(rounds)}",
        )
        for name, rounds in found.items()
    ]
    return table(("", *(key.replace("_", " ") for key in _SHOWN), "p99 below the first's"), rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.refusals", description=__doc__)
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"of {', '.join(_WAYS)}; by default all")
    parser.add_argument("--times", type=float, default=2.0, help="times saturation")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=6, help="of each load in a round")
    parser.add_argument("--out", type=Path, help="JSON file; by default one in bench/results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
