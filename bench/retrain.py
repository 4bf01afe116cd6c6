"""How long a head run takes on the reference data and 200 uploads, and what it does to `/predict` meanwhile."""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2

from bench import loop, machine, wrk
from bench.client import predict_request
from bench.figures import percentile, report, table
from bench.open_loop import send
from bench.server import Server, hilum_command

GOALS = {"run_s": 180.0, "p99_times": 3.0}
_UPLOADS = 200
"""As mirrored slices of each class that no check takes for a copy."""

_WINDOW_S = 10.0
_FEATURES = "features"
_ENDED = {"promoted", "awaiting-approval", "refused", "failed", "cancelled"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table and writes the JSON."""
    options = _parser().parse_args(arguments)
    about = machine.description()
    files = loop.answered_files(machine.test_files(machine.data_folder()), None)
    requests = [predict_request(file) for file in files]
    with TemporaryDirectory(prefix="hilum-bench-retrain-") as scratch:
        folder = options.folder or Path(scratch)
        home = folder / "home"
        environment = {"HILUM_HOME": str(home), "HILUM_PROMOTION": "manual", "HILUM_HISTORY": "true"}
        if not home.exists():
            _fill(folder, environment)
        shutil.rmtree(home / _FEATURES, ignore_errors=True)
        with Server(None, environment) as server:
            _when_registered(server.port)
            _run(server.port)
            while _newest(server.port)["status"] not in _ENDED:
                time.sleep(0.5)
            alone = _newest(server.port)
            capacity = wrk.run(server.port, files, connections=16, seconds=5).requests_per_s
            idle = _latencies(server.port, requests, capacity / 2, options.seconds)
            shutil.rmtree(home / _FEATURES)  # so that this run computes everything too
            _run(server.port)
            busy: list[float] = []
            while _newest(server.port)["status"] not in _ENDED:
                busy += _latencies(server.port, requests, capacity / 2, _WINDOW_S)
            loaded = _newest(server.port)
            again = _latencies(server.port, requests, capacity / 2, options.seconds)
    p99 = {name: percentile(found, 99) for name, found in (("idle", [*idle, *again]), ("during a run", busy))}
    results = {
        "images": alone["n_images"],
        "run_s": _seconds(alone),
        "run_under_load_s": _seconds(loaded),
        "statuses": [alone["status"], loaded["status"]],
        "rate_per_s": capacity / 2,
        "p99_ms": p99,
        "p99_times": p99["during a run"] / p99["idle"],
        "n": {"idle": len(idle) + len(again), "during a run": len(busy)},
    }
    rows = [
        ("head run, nothing else to do", f"{results['run_s']:.0f} s", f"{results['images']} images"),
        ("head run, /predict at half load", f"{results['run_under_load_s']:.0f} s", f"{capacity / 2:.0f} requests/s"),
        ("p99 of /predict, no run", f"{p99['idle']:.1f} ms", f"n {results['n']['idle']}"),
        ("p99 of /predict, during a run", f"{p99['during a run']:.1f} ms", f"n {results['n']['during a run']}"),
        ("ratio", f"{results['p99_times']:.2f}", f"at most {GOALS['p99_times']:g}"),
    ]
    report("retrain", about, results, table(("what", "found", "of"), rows), options.out)
    return 1 if results["run_s"] > GOALS["run_s"] or results["p99_times"] > GOALS["p99_times"] else 0


def _fill(folder: Path, environment: dict[str, str]) -> None:
    """The reference data set, and mirrored slices of it as uploads: no copies, as far as the audit can tell."""
    data = machine.data_folder() / "chest-ct-scan-images"
    uploads = folder / "uploads"
    classes = sorted((data / "train").iterdir())
    for source in classes:
        (uploads / "train" / source.name).mkdir(parents=True)
        contents = {file.read_bytes(): file for file in sorted(source.iterdir())}
        for file in list(contents.values())[: _UPLOADS // len(classes)]:
            mirrored = cv2.flip(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), 1)
            cv2.imwrite(str(uploads / "train" / source.name / f"{file.stem}.png"), mirrored)
    for source in (data, uploads):
        command = [*hilum_command(), "dataset", "add", str(source)]
        subprocess.run(command, env=os.environ | environment, check=True, stdout=sys.stderr)


def _latencies(port: int, requests: Sequence[bytes], rate: float, seconds: float) -> list[float]:
    sent = asyncio.run(send(port, requests, rate=rate, seconds=seconds))
    return [one.latency_s * 1000 for one in sent]


def _run(port: int) -> dict[str, Any]:
    answer = _ask(port, "POST", "/retrain")
    if "id" not in answer:
        raise SystemExit(f"no run was taken: {answer}")
    return answer


def _newest(port: int) -> dict[str, Any]:
    found: dict[str, Any] = _ask(port, "GET", "/training-runs?limit=1")["items"][0]
    return found


def _when_registered(port: int) -> None:
    """Waits until the model that serves is the registry's champion, from which runs start."""
    for _ in range(600):
        if any("champion" in model["aliases"] for model in _ask(port, "GET", "/models").get("items", ())):
            return
        time.sleep(0.1)
    raise SystemExit("the model was not registered within a minute")


def _ask(port: int, method: str, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
    finally:
        connection.close()


def _seconds(run: dict[str, Any]) -> float:
    begun, ended = (datetime.fromisoformat(run[name]) for name in ("started_at", "ended_at"))
    return (ended - begun).total_seconds()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.retrain", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="of load without a run, before and after it")
    parser.add_argument("--folder", type=Path, help="for its state, filled where it is new, and kept")
    parser.add_argument("--out", type=Path, help="JSON file; by default one in bench/results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
