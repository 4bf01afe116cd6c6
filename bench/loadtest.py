"""Runs the shapes of locustfile.py against a server of its own, headless, and writes tables, plots and reports."""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import machine
from bench.figures import report, table
from bench.server import Server

_PACES = {"baseline": 0.5, "stress": 0.5, "spike": 0.5, "soak": 1 / 40}
"""How much shorter than locustfile.py's the stages are, so that all take about 6 minutes."""

_COLUMNS = {"50%": "p50_ms", "95%": "p95_ms", "99%": "p99_ms"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the shapes, prints the table and writes everything into a folder; 1 where a request failed unannounced."""
    options = _parser().parse_args(arguments)
    about = machine.description()
    options.folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {}
    for shape in options.shapes:
        with Server(options.model) as server:
            _run(shape, server.port, options.folder, _PACES[shape] * options.pace)
            results[shape] = _read(shape, options.folder) | {"memory_mb": server.memory_mb()}
        _plot(shape, options.folder)
    shown = _table(results)
    (options.folder / "results.md").write_text(f"{machine.summary(about)}\n\n{shown}\n")
    report("loadtest", about, results, shown, options.folder / "results.json")
    return 1 if any(found["unexpected"] for found in results.values()) else 0


def _run(shape: str, port: int, folder: Path, pace: float) -> None:
    """One shape; Locust's own exit code says only whether any request failed, which the table tells better."""
    command = [
        Path(sys.executable).with_name("locust"), "--headless", "--only-summary", "--loglevel", "WARNING",
        "--locustfile", machine.ROOT / "locustfile.py", "--host", f"http://127.0.0.1:{port}",
        "--shape", shape, "--pace", str(pace), "--exit-code-on-error", "0",
        "--csv", folder / shape, "--csv-full-history", "--html", folder / f"{shape}.html",
    ]  # fmt: skip
    with (folder / f"{shape}.log").open("wb") as log:
        subprocess.run(command, check=True, stdout=log, stderr=log)


def _read(shape: str, folder: Path) -> dict[str, Any]:
    """What Locust counted, of `POST /predict` and in all; failures by what they were."""
    with (folder / f"{shape}_stats.csv").open() as file:
        rows = {f"{row['Type']} {row['Name']}".strip(): row for row in csv.DictReader(file)}
    with (folder / f"{shape}_failures.csv").open() as file:
        failures = [
            (f"{row['Method']} {row['Name']}", row["Error"], int(row["Occurrences"])) for row in csv.DictReader(file)
        ]
    if "POST /predict" not in rows:
        raise SystemExit(f"{shape} was so short that nobody asked for a prediction; let it last longer (--pace)")
    predict, total = rows["POST /predict"], rows["Aggregated"]
    shed = sum(count for _, error, count in failures if "503" in error)  # whoever asks is told when to ask again
    return {
        "requests": int(total["Request Count"]),
        "predictions": int(predict["Request Count"]),
        "predictions_per_s": round(float(predict["Requests/s"]), 1),
        **{name: round(float(predict[column])) for column, name in _COLUMNS.items()},
        "shed": shed,
        "unexpected": sum(count for *_, count in failures) - shed,
        "failures": failures,
        "by_request": {
            name: {"n": int(row["Request Count"]), "p50_ms": float(row["50%"]), "p95_ms": float(row["95%"])}
            for name, row in rows.items()
            if int(row["Request Count"])
        },
    }


def _plot(shape: str, folder: Path) -> None:
    """People, requests a second and percentiles over time, one picture a shape."""
    from matplotlib.figure import Figure

    with (folder / f"{shape}_stats_history.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["Name"] == "Aggregated"]
    begin = int(rows[0]["Timestamp"])
    seconds = [int(row["Timestamp"]) - begin for row in rows]
    figure = Figure(figsize=(8, 6), layout="constrained")
    people, rate, latency = figure.subplots(3, 1, sharex=True)
    people.plot(seconds, [int(row["User Count"]) for row in rows], color="tab:gray")
    people.set_ylabel("people")
    refused = [float(row["Failures/s"]) for row in rows]
    answered = [float(row["Requests/s"]) - one for row, one in zip(rows, refused, strict=True)]
    rate.plot(seconds, answered, label="answered")
    rate.plot(seconds, refused, label="turned away or failed", color="tab:red")
    rate.set_ylabel("requests/s, last 10 s")
    rate.legend(loc="upper left")
    for column in _COLUMNS:
        values = [float(row[column]) if row[column] != "N/A" else float("nan") for row in rows]
        latency.plot(seconds, values, label=column)
    latency.set_ylabel("ms, last 10 s")
    latency.set_xlabel("s")
    latency.legend(loc="upper left", ncols=len(_COLUMNS))
    for axes in (rate, latency):
        axes.set_ylim(0, 1.3 * axes.get_ylim()[1])  # room for the legend
    people.set_title(shape)
    figure.savefig(folder / f"{shape}.png", dpi=80)


def _table(results: dict[str, Any]) -> str:
    header = (
        "shape",
        "requests",
        "predictions",
        "predictions/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "503",
        "failed",
        "MB after",
    )
    rows = [
        (
            shape, found["requests"], found["predictions"], found["predictions_per_s"], found["p50_ms"],
            found["p95_ms"], found["p99_ms"], found["shed"], found["unexpected"], found["memory_mb"]["rss"],
        )
        for shape, found in results.items()
    ]  # fmt: skip
    return table(header, rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.loadtest", description=__doc__)
    parser.add_argument("--shapes", nargs="+", choices=sorted(_PACES), default=list(_PACES))
    parser.add_argument(
        "--pace", type=float, default=1.0, help="stages last so many times as long; 40 is a soak of an hour"
    )
    parser.add_argument("--folder", type=Path, default=machine.ROOT / "build" / "loadtest")
    parser.add_argument("--model", type=Path, help="bundle to serve [the reference model]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
