"""Training runs as they are asked for, watched and cancelled. Trains nothing and knows no HTTP."""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from hilum.errors import (
    RetrainInProgress,
    RunNotAwaiting,
    RunNotFound,
    RunsUnavailable,
    StorageInvalid,
    TrainingUnavailable,
)
from hilum.services import audit_log as audit
from hilum.services.registry import CHALLENGED, CHALLENGER
from hilum.services.run_rules import Champion, Mode, Policy, RunStatus, Snapshots, check_sufficient
from hilum.services.watching import Watchers
from hilum.storage import models, training_runs
from hilum.storage.audit_chain import NewEvent
from hilum.storage.audit_log import append
from hilum.storage.database import Database
from hilum.storage.training_runs import Place, StoredRun

__all__ = ["Place", "Retraining", "RunRequest", "StoredRun"]

Found = TypeVar("Found")

log = logging.getLogger(__name__)

_THREADS = 2
_DECLINED = "a person declined it"


@dataclass(frozen=True)
class RunRequest:
    """What a run is to do.

    Attributes:
        mode: learn the head alone, or every weight.
        n_epochs: at the most; None takes the mode's default.
        note: why, in the words of who asks.
        policy: who decides on a promotion; None takes the server's.
        actor: who asks, for the audit log.
    """

    mode: Mode = "head"
    n_epochs: int | None = None
    note: str = ""
    policy: Policy | None = None
    actor: str = audit.OPEN


class Retraining:
    """Takes runs and tells how they stand. Safe to use from several threads and event loops."""

    def __init__(
        self,
        database: Database,
        snapshots: Snapshots,
        *,
        find_champion: Callable[[], Champion | None],
        find_trouble: Callable[[], str | None],
        policy: Policy = "auto",
        is_audited: bool = False,
    ) -> None:
        """Takes what runs need; `start` is to be called before the first.

        Args:
            database: with the newest tables, once it answers.
            snapshots: freezes the labelled images.
            find_champion: names the model that runs start from; None where there is none yet.
            find_trouble: says why nothing can be trained here at present, in words; None where it can.
            policy: of runs that name none.
            is_audited: runs get their event in the audit log, in the same commit.
        """
        self.policy: Policy = policy
        self._database = database
        self._snapshots = snapshots
        self._find_champion = find_champion
        self._find_trouble = find_trouble
        self._is_audited = is_audited
        self._one_at_a_time = threading.Lock()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="hilum-retraining")
        self._watchers = Watchers("training runs")

    def start(self) -> None:
        """Nothing needs to be started."""

    def end_streams(self) -> None:
        """Ends every `watch`: whoever watches asks another server, or this one once it runs again."""
        self._watchers.end()

    def close(self) -> None:
        """Ends the streams, and closes the connections."""
        self.end_streams()
        self._pool.shutdown(wait=True)
        self._database.close()

    async def ask(self, request: RunRequest) -> StoredRun:
        """Freezes a snapshot and queues a run; it is on disk when this returns.

        Raises:
            RetrainInProgress: another run is queued or running.
            TrainingDataInsufficient: the labelled images do not suffice.
            TrainingUnavailable: there is no worker, or it lacks packages.
            RunsUnavailable: the database does not answer.
        """
        return await self._do(lambda: self.ask_now(request))

    def ask_now(self, request: RunRequest) -> StoredRun:
        """As `ask`, from a thread."""
        with self._one_at_a_time:  # requests of the same moment are answered by the first one's row, without snapshots
            with self._database.reading() as connection:
                _refuse_second(training_runs.find_active(connection))
            trouble = self._find_trouble()
            if trouble is not None:
                raise TrainingUnavailable(trouble)
            champion = self._find_champion()
            if champion is None:
                raise RunsUnavailable(
                    "no model is the champion yet, and a run starts from it: start `hilum serve` once, "
                    "or register and promote a model"
                )
            frozen = self._snapshots.snapshot()
            run = StoredRun(
                id=uuid.uuid4(),
                status=RunStatus.QUEUED,
                mode=request.mode,
                policy=request.policy or self.policy,
                note=request.note,
                actor=request.actor,
                n_epochs=request.n_epochs,
                snapshot_digest=frozen.digest,
                n_images=check_sufficient(frozen, request.mode, champion),
                parent_version=champion.version,
                created_at=datetime.now(UTC),
            )
            with self._database.writing() as connection:
                if not training_runs.add(connection, run):  # another server's was first
                    _refuse_second(training_runs.find_active(connection))
                    raise RunsUnavailable("another run has just ended; ask again")
                if self._is_audited:
                    append(connection, [NewEvent(audit.RETRAIN, request.actor, str(run.id))])
            log.info("a training run is queued", extra={"reason": f"{run.mode}, {run.n_images} images"})
            return run

    async def find(self, run_id: str) -> StoredRun:
        """One run.

        Raises:
            RunNotFound: none has this id.
            RunsUnavailable: the database does not answer.
        """
        return await self._do(lambda: self.find_now(run_id))

    def find_now(self, run_id: str) -> StoredRun:
        """As `find`, from a thread."""
        key = _key(run_id)
        with self._database.reading() as connection:
            return _found(training_runs.find(connection, key))

    async def page(self, *, before: Place | None = None, limit: int = 50) -> Sequence[StoredRun]:
        """The newest `limit` runs older than `before`.

        Raises:
            RunsUnavailable: the database does not answer.
        """
        return await self._do(lambda: self.page_now(before=before, limit=limit))

    def page_now(self, *, before: Place | None = None, limit: int = 50) -> Sequence[StoredRun]:
        """As `page`, from a thread."""
        with self._database.reading() as connection:
            return training_runs.page(connection, before=before, limit=limit)

    async def cancel(self, run_id: str) -> StoredRun:
        """Asks for the end of a run: at once where it is queued, within seconds where it is running.

        Raises:
            RunNotFound: none has this id.
            RunsUnavailable: the database does not answer.
        """
        return await self._do(lambda: self.cancel_now(run_id))

    def cancel_now(self, run_id: str) -> StoredRun:
        """As `cancel`, from a thread."""
        key = _key(run_id)
        with self._database.writing() as connection:
            training_runs.request_cancel(connection, key, datetime.now(UTC))
            return _found(training_runs.find(connection, key))

    async def decline(self, run_id: str, *, actor: str) -> StoredRun:
        """Refuses, as a person, what a run made and the gate let through; its model stays registered.

        Raises:
            RunNotFound: none has this id.
            RunNotAwaiting: it awaits no decision.
            RunsUnavailable: the database does not answer.
        """
        return await self._do(lambda: self.decline_now(run_id, actor=actor))

    def decline_now(self, run_id: str, *, actor: str) -> StoredRun:
        """As `decline`, from a thread."""
        key = _key(run_id)
        with self._database.writing() as connection:
            run = training_runs.decline(connection, key, _DECLINED)
            if run is None:
                status = _found(training_runs.find(connection, key)).status
                raise RunNotAwaiting(f"the run is {status}; only one that awaits approval can be declined")
            events = [NewEvent(audit.DECLINE, actor, str(run.id))]
            challenger = models.find_alias(connection, CHALLENGER, to_move=True)
            if challenger is not None and challenger.version == run.model_version:
                models.unpoint(connection, CHALLENGER)
                events.append(NewEvent(CHALLENGED, actor, ""))
            if self._is_audited:
                append(connection, events)
            return run

    def watch(self, run_id: str) -> AsyncIterator[StoredRun]:
        """A run each time it has changed, from now until it has ended or the server stops.

        Raises:
            RunNotFound: none has this id.
            Overloaded: too many watch already.
            RunsUnavailable: the database does not answer.
        """
        return self._watchers.follow(
            lambda: self.find(run_id), is_active=lambda run: RunStatus(run.status).is_active, shown=_shown
        )

    async def _do(self, work: Callable[[], Found]) -> Found:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except StorageInvalid as error:
            log.warning("training runs cannot be reached", extra={"reason": error.detail})
            raise RunsUnavailable("the state does not answer at present; try again in a moment") from error


def _refuse_second(active: StoredRun | None) -> None:
    if active is not None:
        raise RetrainInProgress("another training run is under way; wait for its end, or cancel it", str(active.id))


def _key(run_id: str) -> uuid.UUID:
    try:
        return uuid.UUID(run_id)
    except ValueError:
        raise RunNotFound("a training run's id is a UUID") from None


def _found(run: StoredRun | None) -> StoredRun:
    if run is None:
        raise RunNotFound("no training run has this id")
    return run


def _shown(run: StoredRun) -> tuple[object, ...]:
    """What a watcher is told; the lease is not."""
    return run.status, run.stage, run.progress, len(run.epochs), run.model_version, run.cancel_requested_at
