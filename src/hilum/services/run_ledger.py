"""What a run's process says of the run, and reads in its row: lease and wish to cancel. Trains nothing.

Progress goes to the supervisor, which writes it; the process itself writes what must not be lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from hilum.errors import LeaseLost, RunCancelled, StorageInvalid
from hilum.services.run_progress import RunProgress
from hilum.services.run_rules import RunStatus
from hilum.storage import training_runs
from hilum.storage.database import Database
from hilum.storage.training_runs import StoredRun

log = logging.getLogger(__name__)

_EVERY_S = 0.5
_ENOUGH = 0.02
"""The share that must be done before the time left can be told."""

_SHARES: dict[str, dict[str, float]] = {
    "head": {"snapshot": 3, "read": 0, "features": 45, "fit": 2, "refit": 1, "pack": 25, "measure": 8, "compare": 16},
    "full": {"snapshot": 1, "read": 2, "fit": 48, "refit": 42, "pack": 3, "measure": 2, "compare": 2},
}
"""How much of a run's time each stage takes, about; `register` and `decide` take none to speak of."""


class RunLedger:
    """Tells how one run goes, at most twice a second in a stage. For one thread."""

    def __init__(self, database: Database, run: StoredRun, owner: str, progress: RunProgress) -> None:
        """Takes a run.

        Args:
            database: that has its row.
            run: as its worker took it.
            owner: the worker's name on the lease.
            progress: read by its supervisor.
        """
        self._database = database
        self._id, self._owner = run.id, owner
        self._shares = _SHARES[run.mode]
        told = progress.told().get("epochs", [])  # by a process before this one, perhaps killed before it was read
        self._epochs = list(told if len(told) > len(run.epochs) else run.epochs)
        self._began_at, self._began_with = time.monotonic(), run.progress
        self._told = progress
        self._stage, self._progress = run.stage, run.progress
        self._told_at = 0.0
        self._is_out_of_reach = False

    def report(self, stage: str, share: float) -> None:
        """Tells that `share` (0..1) of a stage is done, unless it has just told of the stage.

        Raises:
            RunCancelled: the run is to be cancelled.
            LeaseLost: another worker has the run, or it has ended.
        """
        names = list(self._shares)
        before = sum(self._shares[name] for name in names[: names.index(stage)]) if stage in names else 100.0
        self._progress = min(1.0, (before + share * self._shares.get(stage, 0.0)) / 100)
        if stage == self._stage and time.monotonic() - self._told_at < _EVERY_S:
            return
        self._stage, self._told_at = stage, time.monotonic()
        self._told.tell(self._standing() | {"seconds_left": self._seconds_left()})
        self._check(self._read)

    def add_epoch(self, stage: str, row: Mapping[str, float]) -> None:
        """Tells an epoch of the fit whose held-out slices show how good it is, at once: a kill may come before more."""
        if stage != "fit":
            return
        names = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
        kept = {name: round(row[name], 6) for name in names if name in row}
        self._epochs = [*(old for old in self._epochs if old["epoch"] < kept["epoch"]), kept]
        self._told.tell(self._standing() | {"seconds_left": self._seconds_left()})

    def note(self, **values: Any) -> None:
        """Writes columns into the row at once, with how far the run is.

        Raises:
            RunCancelled: the run is to be cancelled.
            LeaseLost: another worker has the run, or it has ended.
        """
        self._check(lambda: self._write(self._standing() | values))

    def end(self, status: RunStatus, **values: Any) -> None:
        """Ends the run.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        done = {"progress": 1.0} if status not in {RunStatus.FAILED, RunStatus.CANCELLED} else {}
        ended = {"ended_at": datetime.now(UTC)} | self._standing() | done | values
        with self._database.writing() as connection:
            is_mine = training_runs.end(connection, self._id, self._owner, status, ended)
        log.info("the training run has ended", extra={"reason": str(status) if is_mine else "it had ended already"})

    def _seconds_left(self) -> float | None:
        done = self._progress - self._began_with
        if done < _ENOUGH:
            return None
        return round((time.monotonic() - self._began_at) / done * (1 - self._progress), 1)

    def _standing(self) -> dict[str, Any]:
        return {"stage": self._stage, "progress": self._progress, "epochs": self._epochs}

    def _read(self) -> StoredRun | None:
        with self._database.reading() as connection:
            return training_runs.find_held(connection, self._id, self._owner)

    def _write(self, values: Mapping[str, Any]) -> StoredRun | None:
        with self._database.writing() as connection:
            return training_runs.note_progress(connection, self._id, self._owner, values)

    def _check(self, find: Callable[[], StoredRun | None]) -> None:
        """Ends the work where the row says so; a database that does not answer says nothing."""
        try:
            run = find()
        except StorageInvalid as error:
            if not self._is_out_of_reach:
                log.warning("the run's row is out of reach", extra={"reason": error.detail})
            self._is_out_of_reach = True
            return
        self._is_out_of_reach = False
        if run is None:
            raise LeaseLost("another worker has the run, or it has ended")
        if run.cancel_requested_at is not None:
            raise RunCancelled("someone asked for the run's end")
