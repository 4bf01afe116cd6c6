"""Measures `hilum serve`: start, memory and load, beside a bare loop without HTTP in the same run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench import loop, machine, wrk
from bench.client import predict_all
from bench.figures import report, spread, table
from bench.server import Server

GOALS = {"ready_s": 3.0, "rss_mb": 300.0, "requests_per_s": 200.0, "p95_ms": 200.0, "errors": 0}
_PREDICTIONS = 1000
_SAME = 1e-6
"""Largest difference allowed between a probability over HTTP and from the bare loop."""


@dataclass
class _Rounds:
    """What the rounds found, by number of connections."""

    threads: list[float] = field(default_factory=list)
    processes: list[float] = field(default_factory=list)
    loads: dict[int, list[wrk.Load]] = field(default_factory=dict)
    cpu_ms: dict[int, list[float]] = field(default_factory=dict)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the tables and writes the JSON; 1 where a goal was missed."""
    options = _parser().parse_args(arguments)
    wrk.check_installed()
    about = machine.description()
    files = loop.answered_files(machine.test_files(machine.data_folder()), options.model)
    results: dict[str, Any] = {"files": len(files), "file_bytes_mean": round(_mean_size(files))}
    results["start"] = _starts(options.model, options.starts)
    with Server(options.model) as server:
        results["memory_mb"] = {"ready": server.memory_mb()}
        named = [(file.name, file.read_bytes()) for file in files]
        predictor = loop.load_predictor(options.model)
        results["answers"] = _check_answers(server, predictor, named)
        results["memory_mb"]["after_1000"] = server.memory_mb()
        rounds = _measure(server, predictor, files, options)
        results["memory_mb"]["after_load"] = server.memory_mb()
    results |= _summarised(rounds)
    results["settings"] = {"rounds": options.rounds, "seconds": options.seconds, "wrk_threads": options.wrk_threads}
    results["missed_goals"] = missed_goals(results)
    report("serve", about, results, _tables(results), options.out)
    return 1 if results["missed_goals"] else 0


def missed_goals(results: dict[str, Any]) -> list[str]:
    """The goals these results do not meet; of the load, the best level whose p95 keeps its goal is judged."""
    missed = []
    if results["start"]["median"] > GOALS["ready_s"]:
        missed.append(f"start {results['start']['median']} s > {GOALS['ready_s']} s")
    rss = results["memory_mb"]["after_1000"]["rss"]
    if rss > GOALS["rss_mb"]:
        missed.append(f"memory {rss} MB > {GOALS['rss_mb']} MB")
    quick = [load["requests_per_s"]["median"] for load in results["load"] if load["p95_ms"] < GOALS["p95_ms"]]
    if max(quick, default=0) < GOALS["requests_per_s"]:
        missed.append(f"{max(quick, default=0)} requests/s with p95 < {GOALS['p95_ms']} ms")
    errors = sum(load["errors"] for load in results["load"])
    if errors:
        missed.append(f"{errors} errors")
    return missed


def _starts(model: Path | None, count: int) -> dict[str, float | int]:
    seconds = []
    for _ in range(count):
        with Server(model) as server:
            seconds.append(server.ready_s)
    return spread(seconds, digits=2)


def _check_answers(server: Server, predictor: Any, named: list[tuple[str, bytes]]) -> dict[str, Any]:
    """Asks for 1,000 predictions and compares each file's with the bare loop's."""
    answers = predict_all(server.port, named, count=_PREDICTIONS, connections=4)
    worst = 0.0
    for (name, data), answer in zip(named, answers, strict=False):
        expected = predictor.predict(data, name=name).probabilities
        worst = max(worst, *(abs(answer["probabilities"][key] - value) for key, value in expected.items()))
    if worst > _SAME:
        raise SystemExit(f"the server's probabilities differ from the bare loop's by {worst}")
    return {"compared": min(len(named), len(answers)), "largest_difference": worst}


def _measure(server: Server, predictor: Any, files: list[Path], options: argparse.Namespace) -> _Rounds:
    """Alternates between the bare loop and each level of load, so that a drifting machine touches all alike."""
    rounds = _Rounds(loads={n: [] for n in options.connections}, cpu_ms={n: [] for n in options.connections})
    in_memory = [file.read_bytes() for file in files]
    processes = loop.Processes(options.model, in_memory)
    for number in range(options.rounds):
        rounds.threads.append(loop.in_threads(predictor, in_memory, options.seconds))
        rounds.processes.append(processes.measure(options.seconds))
        for connections in options.connections:
            used = server.cpu_s()
            load = wrk.run(
                server.port, files, connections=connections, seconds=options.seconds, threads=options.wrk_threads
            )
            rounds.loads[connections].append(load)
            rounds.cpu_ms[connections].append((server.cpu_s() - used) * 1000 / max(load.requests, 1))
        print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    processes.close()
    return rounds


def _summarised(rounds: _Rounds) -> dict[str, Any]:
    bare = max(median(rounds.threads), median(rounds.processes))
    loads = []
    for connections, found in rounds.loads.items():
        rates = [load.requests_per_s for load in found]
        loads.append(
            {
                "connections": connections,
                "requests_per_s": spread(rates),
                "p50_ms": round(median(load.p50_ms for load in found), 1),
                "p95_ms": round(median(load.p95_ms for load in found), 1),
                "p99_ms": round(median(load.p99_ms for load in found), 1),
                "requests": sum(load.requests for load in found),
                "errors": sum(load.errors for load in found),
                "server_cpu_ms": round(median(rounds.cpu_ms[connections]), 2),
                "share_of_bare_loop": round(median(rates) / bare, 3),
                "rounds": [asdict(load) for load in found],
            }
        )
    return {
        "bare_loop": {"threads": spread(rounds.threads), "processes": spread(rounds.processes), "best": round(bare, 1)},
        "load": loads,
    }


def _tables(results: dict[str, Any]) -> str:
    start, memory, bare = results["start"], results["memory_mb"], results["bare_loop"]
    rows = [
        ("start to ready, s", f"{start['median']} (of {start['n']}: {start['min']} to {start['max']})"),
        *(
            (f"memory {when.replace('_', ' ')}, MB", f"{found['rss']} (pss {found['pss']})")
            for when, found in memory.items()
        ),
        ("bare loop, threads, predictions/s", bare["threads"]["median"]),
        ("bare loop, processes, predictions/s", bare["processes"]["median"]),
        ("files compared with the bare loop", results["answers"]["compared"]),
    ]
    header = ("connections", "requests/s", "p50 ms", "p95 ms", "p99 ms", "errors", "server cpu ms", "of bare loop")
    loads = [
        (
            load["connections"], load["requests_per_s"]["median"], load["p50_ms"], load["p95_ms"], load["p99_ms"],
            load["errors"], load["server_cpu_ms"], f"{load['share_of_bare_loop']:.0%}",
        )
        for load in results["load"]
    ]  # fmt: skip
    verdict = "; ".join(results["missed_goals"]) or "none"
    return "\n\n".join((table(("", ""), rows), table(header, loads), f"goals missed: {verdict}"))


def _mean_size(files: list[Path]) -> float:
    return sum(file.stat().st_size for file in files) / max(len(files), 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.serve", description=__doc__)
    parser.add_argument("--model", type=Path, help="bundle to serve; by default the reference model")
    parser.add_argument("--starts", type=int, default=5, help="times the server is started")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement in a round")
    parser.add_argument("--connections", type=_counts, default=(2, 4, 8, 16), help="levels of load, as 2,4,8,16")
    parser.add_argument("--wrk-threads", type=int, default=1, help="threads of the generator")
    parser.add_argument("--out", type=Path, help="JSON file; by default one in bench/results")
    return parser


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
