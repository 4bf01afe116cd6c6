"""Runs the compiled load generator `wrk` and reads what it found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

_SCRIPT = Path(__file__).with_name("predict.lua")


@dataclass(frozen=True)
class Load:
    """What one run of the generator found.

    Attributes:
        requests_per_s: answers of any status, a second.
        p50_ms, p95_ms, p99_ms, max_ms: from sending a request to its whole answer.
        requests: answers of any status.
        errors: not 200, and failures to connect, read, write or in time.
        refused: those of the errors that were answered 503, as a server does that has more to do than it can.
    """

    requests_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    requests: int
    errors: int
    refused: int = 0

    @property
    def answered_per_s(self) -> float:
        """Answers of any status but 503, a second."""
        return self.requests_per_s * (1 - self.refused / max(self.requests, 1))


def check_installed() -> None:
    """Says how to get `wrk` where it is missing.

    Raises:
        SystemExit: it is missing.
    """
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed; on Debian and Ubuntu: apt-get install wrk, on macOS: brew install wrk")


def run(port: int, files: Sequence[Path], *, connections: int, seconds: int, threads: int = 1, key: str = "") -> Load:
    """Sends `files` in turn to the server on `port`, each connection a request after its last answer, with an API `key`
    where there is one."""
    with NamedTemporaryFile("w", suffix=".txt") as names:
        names.write("\n".join(str(file) for file in files) + "\n")
        names.flush()
        command = [
            "wrk", f"--threads={min(threads, connections)}", f"--connections={connections}", f"--duration={seconds}s",
            "--timeout=10s", f"--script={_SCRIPT}", f"http://127.0.0.1:{port}",
        ]  # fmt: skip
        environment = os.environ | {"HILUM_BENCH_FILES": names.name, "HILUM_BENCH_KEY": key}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"wrk failed: {ended.stderr or ended.stdout}")
    return parse(ended.stdout)


def parse(output: str) -> Load:
    """Reads the JSON line that the script writes at the end.

    Raises:
        ValueError: there is none.
    """
    line = next((line for line in output.splitlines() if line.startswith("JSON ")), None)
    if line is None:
        raise ValueError(f"wrk wrote no figures: {output[-500:]}")
    found = json.loads(line.removeprefix("JSON "))
    return Load(
        requests_per_s=found["requests"] / (found["duration_us"] / 1e6),
        p50_ms=found["p50_us"] / 1000,
        p95_ms=found["p95_us"] / 1000,
        p99_ms=found["p99_us"] / 1000,
        max_ms=found["max_us"] / 1000,
        requests=found["requests"],
        errors=sum(found["errors"].values()),
        refused=found["refused"],
    )
