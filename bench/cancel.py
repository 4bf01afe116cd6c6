"""How long a training run goes on once its end is asked for, at each stage and in the middle of epochs."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import machine
from bench.figures import report, table
from bench.kill_trial import ENDED, Trial, prepare, wait_for_stage

GOAL_S = 10.0
HEAD = ("queued", "snapshot", "features", "pack", "measure", "compare")
FULL = ("read", "fit", "fit", "refit")
"""Stages at which a run is cancelled; twice in the epochs of the first fit. A queued run has no mode to speak of."""

_EPOCHS = {"fit": 4, "refit": 1}
"""Of the fit: enough to be cancelled amid them, and no more than needed to get past them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Cancels a run at each stage, prints the table and writes the JSON; 1 where one took longer than the goal."""
    parser = argparse.ArgumentParser(prog="python -m bench.cancel", description=__doc__)
    parser.add_argument("--folder", type=Path, help="for its state, which another trial may go on with")
    parser.add_argument("--seed", type=int, default=0, help="of the moments within a stage")
    parser.add_argument("--out", type=Path, help="JSON file; by default one in bench/results")
    options = parser.parse_args(arguments)
    about = machine.description()
    chance = random.Random(options.seed)
    rows: list[tuple[str, str, str, float]] = []
    with TemporaryDirectory(prefix="hilum-cancel-") as scratch:
        trial = prepare(options.folder or Path(scratch), is_beside=False)
        try:
            for mode, stages in (("head", HEAD), ("full", FULL)):
                rows += [_cancelled(trial, mode, stage, chance.uniform(0, 2)) for stage in stages]
        finally:
            trial.stop()
    shown = table(("mode", "asked for at", "at stage", "ended after s"), [(*row[:3], f"{row[3]:.1f}") for row in rows])
    slowest = max(row[3] for row in rows)
    report("cancel", about, {"rows": rows, "slowest_s": slowest, "goal_s": GOAL_S}, shown, options.out)
    return 1 if slowest > GOAL_S else 0


def _cancelled(trial: Trial, mode: str, stage: str, later_s: float) -> tuple[str, str, str, float]:
    """Starts a run, asks for its end at a stage or a moment later, and waits for it.

    Returns:
        Mode, the stage waited for, the one the run was at when asked, and seconds until it was cancelled and its
        process gone.

    Raises:
        SystemExit: the run ended otherwise.
    """
    epochs, begun_at = _EPOCHS.get(stage, 2), time.monotonic()
    trial.wait(lambda: trial.ask("POST", "/retrain", {"mode": mode, "epochs": epochs}) is not None, "a run is taken")
    wait_for_stage(trial, stage)
    time.sleep(later_s if stage == "fit" else 0)
    run = trial.newest()
    if run["status"] in ENDED:
        raise SystemExit(f"the run was {run['status']} before it could be cancelled at {stage}")
    asked_at = time.monotonic()
    trial.ask("POST", f"/training-runs/{run['id']}/cancel")
    trial.wait(lambda: trial.newest()["status"] in ENDED and not trial.workers(), "the run has ended")
    took_s = time.monotonic() - asked_at
    status = trial.newest()["status"]
    if status != "cancelled":
        raise SystemExit(f"the run is {status}, not cancelled")
    after_s = asked_at - begun_at
    print(f"{mode}, {stage}: after {after_s:.0f} s, cancelled within {took_s:.1f} s", file=sys.stderr, flush=True)
    return mode, stage, run["stage"] or "queued", round(took_s, 2)


if __name__ == "__main__":
    sys.exit(main())
