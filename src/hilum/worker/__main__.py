"""`python -m hilum.worker [--step-back] RUN OWNER`: carries one run to its end, and ends with its supervisor."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
import uuid
from contextlib import closing

from hilum.logs import configure
from hilum.services.datasets import Datasets
from hilum.services.registry import open_registry
from hilum.services.state import LABELLED, StatePlaces
from hilum.settings import Settings

_FEATURES = "features"
_REST = 1.0
"""Of the time it worked: less leaves a longer tail of `/predict` (docs/performance.md), more a longer run."""


def main() -> None:
    """Runs; the exit code is 0 where the run's row says how it ended."""
    steps_back = "--step-back" in sys.argv
    if steps_back:
        step_back()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    threading.Thread(target=end_with_supervisor, daemon=True).start()
    run_id, owner = sys.argv[-2:]
    settings = Settings()
    configure(settings.log_level)
    from hilum.worker.execution import execute  # loads DBOS
    from hilum.worker.run_steps import RunSteps

    places = StatePlaces(settings.home, settings.database_url, settings.blobs_url)
    with (
        closing(places.open_database()) as database,
        closing(
            Datasets(places.open_database(), places.open_blobs(LABELLED), is_audited=settings.audit_log)
        ) as datasets,
        closing(open_registry(places, is_audited=settings.audit_log)) as registry,
    ):
        execute(
            database,
            places,
            uuid.UUID(run_id),
            owner,
            lambda run, ledger, folder: RunSteps(
                run, ledger, datasets, registry, folder, settings.home / _FEATURES, rest if steps_back else go_on
            ),
        )
    logging.shutdown()
    os._exit(0)  # TensorFlow's and DBOS's threads have nothing left to do


def step_back() -> None:
    """Leaves the processor to whoever answers requests, and one core altogether where there are several.

    What finds no core idle has to wait until the system takes one from this process, which TensorFlow, OpenCV and
    others would otherwise fill: they start a thread for each core that they may use.
    """
    with contextlib.suppress(OSError, AttributeError):
        os.nice(19)
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError, AttributeError):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[1:] or cores)


def rest(taken_s: float) -> None:
    """Leaves its core idle for as long as it kept it busy.

    A core that is always busy, be it at the lowest priority, is one where Linux seldom puts a thread that becomes
    ready while the other cores are busy: that waits for one of those.
    """
    time.sleep(taken_s * _REST)


def go_on(_: float) -> None:
    """Has the machine to itself."""


def end_with_supervisor() -> None:
    """Standard input is a pipe that closes when the supervisor ends, however it ends."""
    sys.stdin.buffer.read()
    os._exit(3)


if __name__ == "__main__":
    main()
