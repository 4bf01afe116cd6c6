"""Measures hilum beside the bare loop and beside other servers with the same model, in turns, in one run."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench import loop, machine, wrk
from bench.client import predict_all
from bench.figures import report, spread, table
from bench.server import Server, free_port, memory_of
from hilum.services.reference import reference_bundle

_PEERS = Path(__file__).with_name("peers")
_ENVIRONMENTS = machine.ROOT / "build" / "bench-env"
_START_TIMEOUT_S = 180.0
_MOST_P95_MS = 200.0
GOALS = {"bare loop": 0.75, "LitServe": 1.5, "BentoML": 1.5, "FastAPI + Keras": 5.0}
"""Least share of the bare loop, and how many times each other server's throughput hilum should reach."""


@dataclass
class _Found:
    """What the rounds found of one server."""

    ready_s: float
    loads: dict[int, list[wrk.Load]] = field(default_factory=dict)
    cpu_ms: dict[int, list[float]] = field(default_factory=dict)
    rss_mb: float = 0.0


class Peer:
    """Another server in its own environment, as a context manager with the same face as `Server`."""

    def __init__(self, environment: str, command: Sequence[str], model: Path) -> None:
        """Prepares; `PORT`, `BUNDLE` and `CORES` in the command are filled in.

        Args:
            environment: of `bench/peers/NAME.txt`.
            command: the first word is a program of that environment.
            model: the bundle.
        """
        self.port = free_port()
        self.ready_s = 0.0
        values = {"PORT": str(self.port), "BUNDLE": str(model), "CORES": str(machine.usable_cores())}
        program, *rest = [values.get(word, word) for word in command]
        self._command = [str(ensured(environment) / "bin" / program), *rest]
        self._variables = {
            "PYTHONPATH": os.pathsep.join((str(machine.ROOT), str(machine.ROOT / "src"))),
            "BENCH_BUNDLE": str(model),
            "BENCH_CORES": values["CORES"],
            "BENTOML_DO_NOT_TRACK": "True",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }

    def __enter__(self) -> Peer:
        """Starts it and waits until it answers a slice."""
        started_at = time.perf_counter()
        self._process = subprocess.Popen(
            self._command, env=os.environ | self._variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        file = machine.test_files(machine.data_folder())[0]
        sample = [(file.name, file.read_bytes())]
        while True:
            try:
                predict_all(self.port, sample, count=1, connections=1)
                break
            except (OSError, SystemExit):
                if self._process.poll() is not None or time.perf_counter() - started_at > _START_TIMEOUT_S:
                    self.__exit__()
                    raise SystemExit(f"{' '.join(self._command)} did not start") from None
                time.sleep(0.05)
        self.ready_s = time.perf_counter() - started_at
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it and its workers."""
        tree = self._tree()
        for process in tree:
            process.terminate()
        _, left = psutil.wait_procs(tree, timeout=10)
        for process in left:
            process.kill()

    def cpu_s(self) -> float:
        """Processor seconds the tree has used."""
        return sum(sum(process.cpu_times()[:2]) for process in self._tree())

    def memory_mb(self) -> dict[str, float]:
        """Memory of the whole process tree."""
        return memory_of(self._tree())

    def _tree(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def ensured(name: str) -> Path:
    """The environment of a peer, made from its lock file where it is not there or older."""
    folder, lock = _ENVIRONMENTS / name, _PEERS / f"{name}.txt"
    stamp = folder / ".made"
    if stamp.is_file() and stamp.stat().st_mtime > lock.stat().st_mtime:
        return folder
    print(f"installing {name} into {folder.relative_to(machine.ROOT)}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    install = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*install, "--requirement", str(lock)], check=True)
    stamp.touch()
    return folder


def servers_of(model: Path) -> dict[str, Server | Peer]:
    """Every server of the comparison, not started; the others have a process for each core too, but for Keras."""
    bento = ("bentoml", "serve", "bench.peers.with_bentoml:Slices", "--host", "127.0.0.1", "--port", "PORT")
    keras = ("uvicorn", "bench.peers.with_keras:app", "--host", "127.0.0.1", "--port", "PORT")
    for_each_core = {"HILUM_PROCESSES": str(machine.usable_cores())}
    return {
        "hilum": Server(model, for_each_core),
        "hilum, one process": Server(model),
        "hilum, no history": Server(model, for_each_core | {"HILUM_HISTORY": "false", "HILUM_AUDIT_LOG": "false"}),
        "LitServe": Peer("litserve", ("python", "-m", "bench.peers.with_litserve", "BUNDLE", "PORT", "CORES"), model),
        "BentoML": Peer("bentoml", bento, model),
        "FastAPI + Keras": Peer("keras", (*keras, "--log-level", "warning"), model),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table and writes the JSON; 1 where a goal was missed."""
    options = _parser().parse_args(arguments)
    wrk.check_installed()
    about = machine.description()
    model = options.model or reference_bundle()
    files = loop.answered_files(machine.test_files(machine.data_folder()), model)
    connections = [int(number) for number in options.connections.split(",")]
    with ExitStack() as running:
        servers = {name: running.enter_context(server) for name, server in servers_of(model).items()}
        found = {name: _Found(server.ready_s) for name, server in servers.items()}
        bare = _measure(servers, found, files, connections, options)
        for name, server in servers.items():
            found[name].rss_mb = server.memory_mb()["rss"]
    results = summarised(found, bare) | {"settings": {"rounds": options.rounds, "seconds": options.seconds}}
    report("compare", about, results, _table(results), options.out)
    return 1 if results["missed_goals"] else 0


def _measure(
    servers: dict[str, Server | Peer], found: dict[str, _Found], files: list[Path], connections: list[int], options: Any
) -> list[float]:
    """Each round gives the bare loop and every server its turn, so that a drifting machine touches all alike."""
    bare: list[float] = []
    processes = loop.Processes(options.model, [file.read_bytes() for file in files])
    for server in servers.values():
        wrk.run(server.port, files, connections=4, seconds=2)
    for number in range(options.rounds):
        bare.append(processes.measure(options.seconds))
        for name, server in servers.items():
            for count in connections:
                used = server.cpu_s()
                load = wrk.run(server.port, files, connections=count, seconds=options.seconds)
                found[name].loads.setdefault(count, []).append(load)
                cpu_ms = (server.cpu_s() - used) * 1000 / max(load.requests, 1)
                found[name].cpu_ms.setdefault(count, []).append(cpu_ms)
        print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    processes.close()
    return bare


def summarised(found: dict[str, _Found], bare: list[float]) -> dict[str, Any]:
    """Medians of each server at the number of connections where it answers most within the p95."""
    rows = {}
    for name, this in found.items():
        p95 = {count: median(load.p95_ms for load in loads) for count, loads in this.loads.items()}
        rate = {count: median(load.requests_per_s for load in loads) for count, loads in this.loads.items()}
        best = max((count for count in rate if p95[count] <= _MOST_P95_MS), key=rate.__getitem__, default=min(rate))
        rows[name] = {
            "requests_per_s": spread([load.requests_per_s for load in this.loads[best]]),
            "connections": best,
            "p95_ms": round(p95[best], 1),
            "cpu_ms": round(median(this.cpu_ms[best]), 2),
            "ready_s": round(this.ready_s, 2),
            "rss_mb": this.rss_mb,
            "errors": sum(load.errors for load in this.loads[best]),
        }
    hilum = rows["hilum"]["requests_per_s"]["median"]
    rates = {"bare loop": median(bare)} | {name: row["requests_per_s"]["median"] for name, row in rows.items()}
    times = {name: round(hilum / max(rates[name], 1e-9), 2) for name in GOALS}
    missed = [
        f"hilum makes {times[name]} of {name}, {goal} is the goal" for name, goal in GOALS.items() if times[name] < goal
    ]
    return {"bare_loop_per_s": spread(bare), "servers": rows, "hilum_over": times, "missed_goals": missed}


def _table(results: dict[str, Any]) -> str:
    header = (
        "",
        "requests/s",
        "least to most",
        "connections",
        "p95 ms",
        "cpu ms",
        "start s",
        "memory MB",
        "errors",
        "hilum",
    )
    bare = results["bare_loop_per_s"]
    over = results["hilum_over"]
    rows: list[tuple[object, ...]] = [
        (
            "bare loop",
            bare["median"],
            f"{bare['min']} to {bare['max']}",
            "",
            "",
            "",
            "",
            "",
            "",
            f"{over['bare loop']} x",
        )
    ]
    for name, row in results["servers"].items():
        rate = row["requests_per_s"]
        rows.append(
            (
                name, rate["median"], f"{rate['min']} to {rate['max']}", row["connections"], row["p95_ms"],
                row["cpu_ms"], row["ready_s"], row["rss_mb"], row["errors"], f"{over[name]} x" if name in over else "",
            )
        )  # fmt: skip
    missed = "; ".join(results["missed_goals"]) or "none"
    return f"{table(header, rows)}\n\nmissed goals: {missed}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("--model", type=Path, help="bundle to serve; by default the reference model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement in a round")
    parser.add_argument("--connections", default="4,8,16", help="numbers of connections, separated by commas")
    parser.add_argument("--out", type=Path, help="JSON file; by default one in bench/results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
