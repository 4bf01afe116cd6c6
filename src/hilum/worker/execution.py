"""One run as a durable workflow: what ended before a kill is not done again. Knows DBOS; not what the steps do."""

from __future__ import annotations

import logging
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from dbos import DBOS, DBOSConfig, SetWorkflowID

from hilum.errors import HilumError, LeaseLost, RunCancelled
from hilum.services.run_ledger import RunLedger
from hilum.services.run_progress import RunProgress
from hilum.services.run_rules import RunStatus
from hilum.services.state import StatePlaces
from hilum.storage import training_runs
from hilum.storage.database import Database
from hilum.storage.training_runs import StoredRun

log = logging.getLogger(__name__)

_WORKFLOWS = "workflows.db"
_VERSION = "1"
"""Of the order of the steps: a workflow begun under another is not resumed, so it changes with them."""

_LEASE_LOST = 4


class Steps(Protocol):
    """What a run does; each step may be done again after a kill."""

    @property
    def run(self) -> StoredRun:
        """The run."""
        ...

    @property
    def ledger(self) -> RunLedger:
        """Of the run's row."""
        ...

    def lay_out(self) -> None:
        """Lays the snapshot out."""
        ...

    def train(self) -> None:
        """Makes a bundle."""
        ...

    def compare(self) -> dict[str, Any]:
        """Reports on it."""
        ...

    def register(self, report: dict[str, Any]) -> str:
        """Keeps it and returns its version."""
        ...

    def decide(self, version: str, report: dict[str, Any]) -> str:
        """Ends the run and returns its status."""
        ...

    def tidy(self) -> None:
        """Removes what nobody needs any more."""
        ...


StepsOf = Callable[[StoredRun, RunLedger, Path], Steps]
"""Makes a run's steps; the folder is the run's own, and whole after a kill."""


def execute(database: Database, places: StatePlaces, run_id: uuid.UUID, owner: str, steps_of: StepsOf) -> None:
    """Carries a run to its end; where an earlier process was killed, from the step that had not ended.

    Args:
        database: has the run's row.
        places: where state lies.
        run_id: of the run.
        owner: of the lease on it.
        steps_of: makes what it does.

    Raises:
        DatabaseUnavailable: the state does not answer.
    """
    with database.reading() as connection:
        run = training_runs.find(connection, run_id)
    if run is None or run.lease_owner != owner:
        return
    folder = places.runs / str(run_id)
    _tidy_others(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ledger = RunLedger(database, run, owner, RunProgress(folder))
    workflow = _workflow(steps_of(run, ledger, folder))
    DBOS(config=_config(places))
    DBOS.launch()
    try:
        _carry_out(workflow, str(run_id))
        _end_if_forgotten(database, ledger, run_id)
    finally:
        DBOS.destroy(workflow_completion_timeout_sec=0)


def _workflow(steps: Steps) -> Any:
    """The workflow over `steps`. Each step's outcome is kept; an error that ended a run ends it again when replayed."""

    @DBOS.workflow(name="retrain")
    def retrain(run_id: str) -> str:
        if run_id != str(steps.run.id):
            return "another run's workflow, which that run's row says has ended"
        try:
            DBOS.run_step({"name": "snapshot"}, _unless_lost, steps.lay_out)
            DBOS.run_step({"name": "train"}, _unless_lost, steps.train)
            report = DBOS.run_step({"name": "compare"}, _unless_lost, steps.compare)
            version = DBOS.run_step({"name": "register"}, _unless_lost, steps.register, report)
            status: str = DBOS.run_step({"name": "decide"}, _unless_lost, steps.decide, version, report)
        except RunCancelled:
            status = RunStatus.CANCELLED
            steps.ledger.end(RunStatus.CANCELLED)
        except HilumError as error:
            status = RunStatus.FAILED
            steps.ledger.end(RunStatus.FAILED, failure=f"{error.title}: {error.detail}"[:1000])
        except MemoryError:
            log.exception("the training run ran out of memory")
            status = RunStatus.FAILED
            steps.ledger.end(RunStatus.FAILED, failure="out of memory: the run needs more than its process may have")
        except Exception as error:
            log.exception("a step of the training run failed")
            status = RunStatus.FAILED
            steps.ledger.end(RunStatus.FAILED, failure=f"unexpected: {type(error).__name__}; the log says more")
        steps.tidy()
        return status

    return retrain


def _unless_lost(step: Any, *arguments: Any) -> Any:
    """A step whose lease is lost leaves no outcome behind: whoever has the run now does the step again."""
    try:
        return step(*arguments)
    except LeaseLost as error:
        log.warning("the training run is another worker's now", extra={"reason": error.detail})
        os._exit(_LEASE_LOST)


def _carry_out(workflow: Any, run_id: str) -> None:
    """Starts the run's workflow, or waits for the one that DBOS resumes."""
    if DBOS.get_workflow_status(run_id) is None:
        with SetWorkflowID(run_id):
            DBOS.start_workflow(workflow, run_id).get_result()
    else:
        DBOS.retrieve_workflow(run_id).get_result()


def _end_if_forgotten(database: Database, ledger: RunLedger, run_id: uuid.UUID) -> None:
    """Ends a run whose workflow had ended before its row was told."""
    with database.reading() as connection:
        run = training_runs.find(connection, run_id)
    if run is not None and RunStatus(run.status).is_active:
        ledger.end(RunStatus.FAILED, failure="its workflow had ended without a result; ask for a run again")


def _config(places: StatePlaces) -> DBOSConfig:
    """DBOS beside hilum's own tables on PostgreSQL (schema `dbos`), in a file of its own otherwise."""
    url = places.open_database().url
    if url.get_backend_name() == "postgresql":
        address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    else:
        address = f"sqlite:///{places.home.absolute() / _WORKFLOWS}"
    return DBOSConfig(
        name="hilum",
        system_database_url=address,
        application_version=_VERSION,
        executor_id="hilum",
        log_level="WARNING",
        use_listen_notify=False,
    )


def _tidy_others(folder: Path) -> None:
    """Removes what runs left behind that were given up: one is active at a time."""
    for other in folder.parent.glob("*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
