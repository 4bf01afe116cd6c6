"""A process uses as many cores as it may run on, and in a container no more than its limit is worth."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from hilum.cores import usable_cores

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have neither affinity nor cgroups")


@pytest.mark.parametrize(
    ("limit", "cores"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("50000 100000\n", 1),
        ("9900000 100000\n", 4),
        ("max 100000\n", 4),
    ],
)
def test_a_containers_limit_counts_where_it_is_lower(
    limit: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    (tmp_path / "cpu.max").write_text(limit)
    assert usable_cores(tmp_path / "cpu.max") == cores


@pytest.mark.parametrize("text", [None, "", "many\n", "1 0\n"])
def test_what_cannot_be_read_limits_nothing(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "cpu.max").write_text(text)
    assert usable_cores(tmp_path / "cpu.max") == len(os.sched_getaffinity(0))
