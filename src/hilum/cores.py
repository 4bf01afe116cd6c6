"""How many cores this process has. Knows of affinity and of a container's limit, not of who asks."""

from __future__ import annotations

import math
import os
from pathlib import Path

_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""What a container engine's limit on processor time comes to: microseconds in each period, or `max`."""


def usable_cores(limit: Path = _LIMIT) -> int:
    """Cores this process may use: those it may run on, or as many as a container's limit is worth.

    Args:
        limit: a `cpu.max` of cgroups of version 2, which a container sees of itself; where there is none nothing
            limits.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = limit.read_text().split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError, ZeroDivisionError):
        return cores
