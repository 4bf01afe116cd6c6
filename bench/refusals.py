"""Compares what a refusal for want of a core costs `hilum serve` with what it costs Granian alone, in turns.

Slices come at a constant rate to a `hilum serve` that finds no core free for any of them, and to a server that answers
503 and does nothing else. The second is the least that a refusal can cost behind that server.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from bench import machine
from bench.client import predict_request
from bench.figures import report, table
from bench.open_loop import send
from bench.server import Server, free_port

_HILUM, _BARE = "hilum", "Granian alone"
_NEVER_ROOM = """
from hilum.errors import Overloaded
from hilum.services.workers import Workers


def check_room(self):
    raise Overloaded("every core is busy for longer than a request waits", limit=0.5, actual=0.6)


Workers.check_room = check_room
"""
"""Python runs it before anything else of a server (`sitecustomize`), so that no setting is needed for what is tried."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table and writes the JSON; 1 where something else than a refusal came."""
    options = _parser().parse_args(arguments)
    about = machine.description()
    requests = [predict_request(file) for file in machine.test_files(machine.data_folder())]
    found: dict[str, list[float]] = {_HILUM: [], _BARE: []}
    servers, generators = machine.divided_cores()
    n_others = 0
    with ExitStack() as stack:
        machine.stay_on(servers)
        running = {_HILUM: stack.enter_context(_refusing_hilum()), _BARE: stack.enter_context(_bare())}
        machine.stay_on(generators)
        for port, _ in running.values():
            asyncio.run(send(port, requests, rate=options.rate, seconds=1))
        for number in range(options.rounds):
            for name in sorted(running, reverse=bool(number % 2)):
                port, cpu_s = running[name]
                before = cpu_s()
                sent = asyncio.run(send(port, requests, rate=options.rate, seconds=options.seconds))
                found[name].append((cpu_s() - before) / len(sent) * 1000)
                n_others += sum(one.status != 503 for one in sent)
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    results: dict[str, Any] = {"rate": options.rate, "not_refused": n_others, "cpu_ms": found}
    report("refusals", about, results, _table(found, n_others), options.out)
    return 1 if n_others else 0


@contextmanager
def _refusing_hilum() -> Iterator[tuple[int, Callable[[], float]]]:
    """Port, and processor seconds so far, of a `hilum serve` without a free core."""
    with TemporaryDirectory(prefix="hilum-bench-") as folder:
        (Path(folder) / "sitecustomize.py").write_text(_NEVER_ROOM)
        path = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
        with Server(None, {"PYTHONPATH": path}) as server:
            yield server.port, server.cpu_s


@contextmanager
def _bare() -> Iterator[tuple[int, Callable[[], float]]]:
    """The same of a server that does nothing else."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.bare_refusals", str(port)])
    family = psutil.Process(process.pid)
    try:
        while not any(one.laddr.port == port for child in family.children() for one in child.net_connections("tcp")):
            time.sleep(0.05)
        yield port, lambda: sum(sum(child.cpu_times()[:2]) for child in (family, *family.children()))
    finally:
        process.terminate()
        process.wait(20)


def _table(found: dict[str, list[float]], n_others: int) -> str:
    ratios = [ours / bare for ours, bare in zip(found[_HILUM], found[_BARE], strict=True)]
    rows = [(name, f"{median(times):.3f}", f"{min(times):.3f} to {max(times):.3f}") for name, times in found.items()]
    shown = table(("", "processor ms a refusal", "least to most"), rows)
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return f"{shown}\n\nhilum takes {median(ratios):.2f} times of it (each round: {each}); not refused: {n_others}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.refusals", description=__doc__)
    parser.add_argument("--rate", type=float, default=430.0, help="slices a second")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=5, help="of each server in a round")
    parser.add_argument("--out", type=Path, help="JSON file; by default one in bench/results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
