"""What a figure depends on besides the code: machine, versions, commit, and where the data lie."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
_PACKAGES = (
    "hilum", "numpy", "onnxruntime", "opencv-python-headless", "fastapi", "granian", "pydantic", "keras", "tensorflow",
)  # fmt: skip


def data_folder() -> Path:
    """The data of the measurements: $HILUM_DATA, else `../shared/data` beside the checkout.

    Raises:
        SystemExit: it is not there.
    """
    folder = Path(os.environ.get("HILUM_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "chest-ct-scan-images" / "test").is_dir():
        raise SystemExit(f"no data in {folder}: let HILUM_DATA name the folder with chest-ct-scan-images")
    return folder


def test_files(data: Path) -> list[Path]:
    """The reference data set's test images, in a fixed order that mixes the classes."""
    found = [file for file in (data / "chest-ct-scan-images" / "test").rglob("*") if file.is_file()]
    return sorted(found, key=lambda file: (file.name, file.parent.name))


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(usable_core_numbers())


def usable_core_numbers() -> set[int]:
    """Which those are."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def divided_cores(*, is_shared: bool = False) -> tuple[set[int], set[int]]:
    """Cores for what is measured, and the last one for what measures; all for both where they are to be shared."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    usable = sorted(os.sched_getaffinity(0))
    if is_shared or len(usable) == 1:
        return set(usable), set(usable)
    return set(usable[:-1]), {usable[-1]}


def stay_on(cores: set[int]) -> None:
    """Lets this process, and those it starts from now on, run on `cores` only, where the system can do that."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def description() -> dict[str, Any]:
    """The machine, its load before the measurement, the versions and the commit."""
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": usable_cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": [round(value, 2) for value in os.getloadavg()],
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "commit": _commit(),
    }


def summary(machine: dict[str, Any]) -> str:
    """The description in two lines."""
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}, "
        f"load before {machine['load_before'][0]}\n"
        f"Python {machine['python']}, {packages}; commit {machine['commit']}"
    )


def _processor() -> str:
    try:
        match = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        match = None
    return match.group(1).strip() if match else platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"
