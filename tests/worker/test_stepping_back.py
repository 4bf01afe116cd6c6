"""The process of a run beside a server has the lowest priority, leaves a core alone, and rests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from hilum.worker.__main__ import rest

_LOOK = """
import json, os
from hilum.worker.__main__ import step_back
step_back()
from hilum.cores import usable_cores
print(json.dumps([os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0), usable_cores()]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have neither this priority nor affinity")
def test_it_leaves_the_processor_and_one_core_to_others() -> None:
    said = subprocess.run([sys.executable, "-c", _LOOK], capture_output=True, check=True, text=True).stdout
    assert json.loads(said) == [19, os.SCHED_IDLE, max(1, len(os.sched_getaffinity(0)) - 1)]


def test_after_its_work_it_rests_for_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    rest(0.06)
    assert pauses == [0.06]
