"""Times `hilum train` as a user runs it: wall and processor time, and peak memory of the process."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import machine
from bench.figures import report, table
from bench.server import hilum_command


@dataclass(frozen=True)
class Usage:
    """What a command took.

    Attributes:
        wall_s: from start to end.
        user_s, system_s: of processor, over all cores.
        peak_rss_mb: of its largest process.
        exit_code: 0 where it succeeded.
    """

    wall_s: float
    user_s: float
    system_s: float
    peak_rss_mb: float
    exit_code: int


def run_measured(command: Sequence[str]) -> Usage:
    """Runs a command to its end; its output goes to standard error."""
    started_at = time.perf_counter()
    process = subprocess.Popen(command, stdout=sys.stderr)
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - started_at
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux (getrusage(2))
    return Usage(
        round(wall_s, 1), round(used.ru_utime, 1), round(used.ru_stime, 1), round(used.ru_maxrss * unit / 1e6, 1),
        process.returncode,
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains in each mode asked for, prints the table and writes the JSON."""
    options = _parser().parse_args(arguments)
    about = machine.description()
    data = machine.data_folder() / "chest-ct-scan-images"
    usages: dict[str, Usage] = {}
    for mode in ("head", "full") if options.full else ("head",):
        with TemporaryDirectory(prefix="hilum-bench-") as folder:
            out = Path(folder) / "bundle"
            command = [*hilum_command(), "train", "--data", str(data), "--out", str(out), "--mode", mode]
            usages[mode] = run_measured([*command, *options.train_option])
    results = {mode: asdict(usage) for mode, usage in usages.items()}
    rows = [(mode, *asdict(usage).values(), f"{_cores_busy(usage):.2f}") for mode, usage in usages.items()]
    shown = table(("mode", "wall s", "user s", "system s", "peak RSS MB", "exit code", "cores busy"), rows)
    report("train", about, {"options": options.train_option, "modes": results}, shown, options.out)
    return max((usage.exit_code for usage in usages.values()), default=0)


def _cores_busy(usage: Usage) -> float:
    return (usage.user_s + usage.system_s) / max(usage.wall_s, 1e-9)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.train", description=__doc__)
    parser.add_argument("--full", action="store_true", help="also time --mode full, which takes far longer")
    parser.add_argument(
        "--train-option", action="append", default=[], metavar="OPTION", help="given to `hilum train`, as --seed=1"
    )
    parser.add_argument("--out", type=Path, help="JSON file; by default one in bench/results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
