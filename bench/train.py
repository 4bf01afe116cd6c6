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

import cv2

from bench import machine
from bench.audit import CLASSES, draw
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
    usages: dict[str, Usage] = {}
    with TemporaryDirectory(prefix="hilum-bench-") as folder:
        if options.drawn:
            sets = {f", {count:,} drawn": _drawn(Path(folder) / str(count), count) for count in options.drawn}
        else:
            sets = {"": machine.data_folder() / "chest-ct-scan-images"}
        for name, data in sets.items():
            for mode in options.mode:
                out = Path(folder) / f"bundle-{len(usages)}"
                command = [*hilum_command(), "train", "--data", str(data), "--out", str(out), "--mode", mode]
                usages[mode + name] = run_measured([*command, *options.train_option])
    results = {mode: asdict(usage) for mode, usage in usages.items()}
    rows = [(mode, *asdict(usage).values(), f"{_cores_busy(usage):.2f}") for mode, usage in usages.items()]
    shown = table(("mode", "wall s", "user s", "system s", "peak RSS MB", "exit code", "cores busy"), rows)
    report("train", about, {"options": options.train_option, "modes": results}, shown, options.out)
    return max((usage.exit_code for usage in usages.values()), default=0)


def _drawn(folder: Path, count: int) -> Path:
    """So many drawn slices of 256 × 256 pixels, all different, in a folder for each class."""
    for number in range(count):
        of_class = folder / "train" / CLASSES[number % len(CLASSES)]
        of_class.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(of_class / f"{number}.png"), draw(number, 256))
    return folder


def _cores_busy(usage: Usage) -> float:
    return (usage.user_s + usage.system_s) / max(usage.wall_s, 1e-9)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.train", description=__doc__)
    parser.add_argument(
        "--mode", choices=("head", "upper", "full"), nargs="+", default=["head"], help="of `hilum train`, each in turn"
    )
    parser.add_argument(
        "--drawn", type=int, nargs="+", metavar="N", help="on so many drawn slices instead of the reference data"
    )
    parser.add_argument(
        "--train-option", action="append", default=[], metavar="OPTION", help="given to `hilum train`, as --seed=1"
    )
    parser.add_argument("--out", type=Path, help="JSON file; by default one in bench/results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
