"""Measures what `hilum serve` does when more slices come than it can answer, with an open-loop generator."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench import loop, machine, wrk
from bench.client import predict_request
from bench.figures import percentile, report, table
from bench.open_loop import FAILED, Sent, send
from bench.server import Server

GOALS = {"goodput": 0.9, "p99": 2.0, "refused_ms": 50.0, "health_ms": 100.0}
_LOADS = (1.0, 2.0, 4.0)
_HEALTH_RATE = 20.0
_HEALTH = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table and writes the JSON; 1 where a goal was missed."""
    options = _parser().parse_args(arguments)
    wrk.check_installed()
    about = machine.description()
    files = loop.answered_files(machine.test_files(machine.data_folder()), options.model)
    requests = [predict_request(file) for file in files]
    rounds: dict[float, list[dict[str, float]]] = {times: [] for times in _LOADS}
    capacities = []
    servers, generators = machine.divided_cores(is_shared=options.together)
    machine.stay_on(servers)
    with Server(options.model) as server:
        machine.stay_on(generators)
        wrk.run(server.port, files, connections=16, seconds=3)
        for number in range(options.rounds):
            load = wrk.run(server.port, files, connections=16, seconds=options.seconds)
            capacity = load.requests_per_s * (1 - load.errors / max(load.requests, 1))  # a refusal is no answer
            capacities.append(round(capacity, 1))
            for times in _LOADS:
                rounds[times].append(_measure(server, requests, times * capacity, options.seconds))
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    loads = {
        times: {key: round(median(one[key] for one in found), 1) for key in found[0]} for times, found in rounds.items()
    }
    cores = {"server": sorted(servers), "generator": sorted(generators)}
    goals = missed_goals(loads)
    results: dict[str, Any] = {"capacity": capacities, "cores": cores, "loads": loads, "missed_goals": goals}
    report("overload", about, results, _table(results), options.out)
    return 1 if results["missed_goals"] else 0


def _measure(server: Server, requests: Sequence[bytes], rate: float, seconds: float) -> dict[str, float]:
    """One load, and the processor time that the server and the generator itself took for it, in % of one core."""
    served_s, generated_s, started_at = server.cpu_s(), time.process_time(), time.perf_counter()
    sent, probes = asyncio.run(exchanged(server.port, requests, rate, seconds))
    taken_s = (time.perf_counter() - started_at) / 100
    shares = {
        "server_cpu": (server.cpu_s() - served_s) / taken_s,
        "generator_cpu": (time.process_time() - generated_s) / taken_s,
    }
    return summarised(sent, probes, rate, seconds) | shares


async def exchanged(
    port: int, requests: Sequence[bytes], rate: float, seconds: float
) -> tuple[Sequence[Sent], Sequence[Sent]]:
    """Slices at `rate`, and beside them the probe that an orchestrator would send."""
    return await asyncio.gather(
        send(port, requests, rate=rate, seconds=seconds),
        send(port, [_HEALTH], rate=_HEALTH_RATE, seconds=seconds),
    )


def summarised(sent: Sequence[Sent], probes: Sequence[Sent], rate: float, seconds: float) -> dict[str, float]:
    """The figures of one load; a latency of what did not occur is 0."""
    answered = [one.latency_s * 1000 for one in sent if one.status == 200]
    refused = [one.latency_s * 1000 for one in sent if one.status == 503]
    return {
        "offered_per_s": rate,
        "goodput_per_s": len(answered) / max(seconds, max((one.latency_s for one in sent), default=0)),
        "refused_per_s": len(refused) / seconds,
        "failed": sum(one.status not in {200, 503} for one in sent),
        "answered_p50_ms": percentile(answered, 50) if answered else 0.0,
        "answered_p99_ms": percentile(answered, 99) if answered else 0.0,
        "refused_p50_ms": percentile(refused, 50) if refused else 0.0,
        "refused_p99_ms": percentile(refused, 99) if refused else 0.0,
        "health_p99_ms": percentile([one.latency_s * 1000 for one in probes], 99),
        "health_failed": sum(one.status == FAILED for one in probes),
        "sent_late_p99_ms": percentile([one.late_s * 1000 for one in sent], 99),
    }


def missed_goals(loads: dict[float, dict[str, float]]) -> list[str]:
    """What the goals ask for and was not found, in words."""
    peak = max(load["goodput_per_s"] for load in loads.values())
    missed = []
    at_saturation, most = loads[min(loads)], loads[max(loads)]
    if most["goodput_per_s"] < GOALS["goodput"] * peak:
        missed.append(f"goodput at {max(loads):g} times saturation is {most['goodput_per_s'] / peak:.0%} of the peak")
    if most["answered_p99_ms"] > GOALS["p99"] * at_saturation["answered_p99_ms"]:
        ratio = most["answered_p99_ms"] / at_saturation["answered_p99_ms"]
        missed.append(f"p99 of what is answered is {ratio:.1f} times that at saturation")
    if max(load["refused_p99_ms"] for load in loads.values()) > GOALS["refused_ms"]:
        missed.append(f"a refusal takes longer than {GOALS['refused_ms']:g} ms (p99)")
    if max(load["health_p99_ms"] for load in loads.values()) > GOALS["health_ms"]:
        missed.append(f"/health/live takes longer than {GOALS['health_ms']:g} ms (p99)")
    if any(load["failed"] or load["health_failed"] for load in loads.values()):
        missed.append("requests without an answer, or with another than 200 and 503")
    return missed


def _table(results: dict[str, Any]) -> str:
    keys = (
        "offered_per_s", "goodput_per_s", "refused_per_s", "failed", "answered_p50_ms", "answered_p99_ms",
        "refused_p50_ms", "refused_p99_ms", "health_p99_ms", "sent_late_p99_ms", "server_cpu", "generator_cpu",
    )  # fmt: skip
    rows = [(f"{times:g}", *(load[key] for key in keys)) for times, load in results["loads"].items()]
    shown = table(("times saturation", *(key.replace("_", " ") for key in keys)), rows)
    goals = "; ".join(results["missed_goals"]) or "none"
    cores = results["cores"]
    about = (
        f"server on cores {cores['server']}, generator on {cores['generator']}; "
        f"closed loop, 16 connections: {results['capacity']} requests/s"
    )
    return f"{about}\n\n{shown}\n\nmissed goals: {goals}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("--model", type=Path, help="bundle to serve; by default the reference model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10, help="of each load in a round")
    parser.add_argument("--together", action="store_true", help="let server and generator share all cores")
    parser.add_argument("--out", type=Path, help="JSON file; by default one in bench/results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
