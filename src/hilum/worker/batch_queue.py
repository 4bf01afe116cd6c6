"""The DBOS queue that spreads the chunks of batches over processes. Knows DBOS; not how a chunk is scored."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from dbos import DBOS, DBOSConfig, SetWorkflowID

from hilum.errors import Overloaded, StorageInvalid
from hilum.services.state import StatePlaces
from hilum.storage import batch_results, batches
from hilum.storage.batches import StoredBatch

log = logging.getLogger(__name__)

_QUEUE = "batches"
_WORKFLOWS = "batches-workflows.db"
_SCHEMA = "dbos_batches"
_VERSION = "1"
_CHUNKS_AT_ONCE = 2
"""In one process: the next one is read while one computes, on all cores of the process."""

_POLL_S = 0.1
_LOOK_S = 0.5
_AGAIN_S = 1.0
_SEEN_EVERY_S = 2.0
_SILENT_S = 15.0
"""A process not seen for so long is taken for dead, and its chunks go back to the queue."""

_AHEAD = 256
"""Chunks of a batch in the queue at once: a large batch leaves room for others, and DBOS's tables stay small."""

_TIDY_S = 5.0
_IDLE_S = 20.0
"""A process without work waits so long before it ends, since loading takes seconds."""


class Scorer(Protocol):
    """What is done with a chunk."""

    def score(self, batch_id: uuid.UUID, number: int) -> int:
        """Scores what is left of it."""
        ...


class BatchQueue:
    """Hands the chunks of active batches to the queue, and takes chunks from it."""

    def __init__(self, places: StatePlaces, name: str, scorer: Scorer) -> None:
        """Takes what it needs; `run` begins.

        Args:
            places: where state lies.
            name: of this process, which the one that follows it after its death has too.
            scorer: of chunks.
        """
        self._places = places
        self._name = name
        self._scorer = scorer
        self._database = places.open_database()
        self._ended = threading.Event()
        self._seen_at = -_SEEN_EVERY_S
        self._reopened: set[uuid.UUID] = set()
        self._tidied: dict[uuid.UUID, int] = {}
        self._over_at: dict[uuid.UUID, float] = {}

    def run(self) -> None:
        """Scores until no batch has been active for a while."""
        workflow = self._workflow()
        DBOS(config=self._config())
        DBOS.launch()
        try:
            queue = DBOS.register_queue(_QUEUE, worker_concurrency=_CHUNKS_AT_ONCE, polling_interval_sec=_POLL_S)
            self._dispatch(queue, workflow)
        finally:
            self._ended.set()
            DBOS.destroy(workflow_completion_timeout_sec=0)
            self._database.close()

    def _workflow(self) -> Any:
        @DBOS.workflow(name="score-chunk", max_recovery_attempts=None)
        def score_chunk(batch_id: str, number: int) -> int:
            while True:
                try:
                    return self._scorer.score(uuid.UUID(batch_id), number)
                except (StorageInvalid, Overloaded) as error:
                    log.warning("a chunk waits", extra={"reason": error.detail})
                    if self._ended.wait(_AGAIN_S):
                        raise

        return score_chunk

    def _dispatch(self, queue: Any, workflow: Any) -> None:
        """Keeps the queue filled, until there has been nothing to do for a while."""
        busy_at = time.monotonic()
        while time.monotonic() - busy_at < _IDLE_S:
            try:
                self._say_hello()
                with self._database.reading() as connection:
                    active = batches.find_active(connection)
                for batch in active:
                    self._fill(queue, workflow, batch)
                self._forget({batch.id for batch in active})
                if active:
                    busy_at = time.monotonic()
            except StorageInvalid as error:
                log.warning("batches cannot be looked for", extra={"reason": error.detail})
                busy_at = time.monotonic()
            self._ended.wait(_LOOK_S)
        with self._database.writing() as connection:
            batch_results.forget_worker(connection, self._name)

    def _fill(self, queue: Any, workflow: Any, batch: StoredBatch) -> None:
        """Hands the next chunks of a batch to the queue. Done by several processes at once it is done once."""
        if batch.id not in self._reopened:
            self._reopen(queue, workflow, batch)
        until = min(batch.n_chunks, batch.n_chunks_done + _AHEAD)
        if until - batch.n_chunks_queued < min(_AHEAD // 4, batch.n_chunks - batch.n_chunks_queued):
            return
        for number in range(batch.n_chunks_queued, until):
            _enqueue(queue, workflow, batch.id, number)
        self._tidied[batch.id] = until
        with self._database.writing() as connection:
            batches.note_queued(connection, batch.id, until, datetime.now(UTC))

    def _reopen(self, queue: Any, workflow: Any, batch: StoredBatch) -> None:
        """Queues chunks again that are not done and that DBOS has forgotten, or holds for done: its file was lost."""
        self._reopened.add(batch.id)
        with self._database.reading() as connection:
            numbers = batches.open_chunks(connection, batch.id, below=batch.n_chunks_queued)
        for number in numbers:
            name = _name(batch.id, number)
            status = DBOS.get_workflow_status(name)
            if status is not None and status.status not in {"ENQUEUED", "PENDING", "DELAYED"}:
                DBOS.delete_workflow(name)
                status = None
            if status is None:
                _enqueue(queue, workflow, batch.id, number)
        self._tidied[batch.id] = batch.n_chunks_queued

    def _forget(self, active: set[uuid.UUID]) -> None:
        """Removes the workflows of batches that ended a while ago: the last one may still be telling its outcome."""
        now = time.monotonic()
        ended = {batch_id: self._over_at.setdefault(batch_id, now) for batch_id in set(self._tidied) - active}
        for batch_id in [one for one, over_at in ended.items() if now - over_at >= _TIDY_S]:
            del self._over_at[batch_id]
            count = self._tidied.pop(batch_id)
            self._reopened.discard(batch_id)
            for start in range(0, count, _AHEAD):
                DBOS.delete_workflows([_name(batch_id, n) for n in range(start, min(count, start + _AHEAD))])

    def _say_hello(self) -> None:
        """Says that this process is there, and takes back what others had begun that are not."""
        if time.monotonic() - self._seen_at < _SEEN_EVERY_S:
            return
        now = datetime.now(UTC)
        with self._database.writing() as connection:
            batch_results.see_worker(connection, self._name, now)
            silent = batch_results.silent_workers(connection, now - timedelta(seconds=_SILENT_S))
        self._seen_at = time.monotonic()
        for name in silent:
            begun = DBOS.list_workflows(status="PENDING", executor_id=name, load_input=False, load_output=False)
            for one in begun:
                DBOS.resume_workflow(one.workflow_id, queue_name=_QUEUE)
            if begun:
                log.warning("what a process had begun goes to others", extra={"reason": f"{name}: {len(begun)} chunks"})
            with self._database.writing() as connection:
                batch_results.forget_worker(connection, name)

    def _config(self) -> DBOSConfig:
        """A schema or file of its own, so that workflows of training runs and of chunks do not meet."""
        url = self._database.url
        if url.get_backend_name() == "postgresql":
            address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        else:
            address = f"sqlite:///{self._places.home.absolute() / _WORKFLOWS}"
        return DBOSConfig(
            name="hilum-batches",
            system_database_url=address,
            dbos_system_schema=_SCHEMA,
            application_version=_VERSION,
            executor_id=self._name,
            log_level="ERROR",
            use_listen_notify=False,
        )


def _name(batch_id: uuid.UUID, number: int) -> str:
    return f"{batch_id}:{number}"


def _enqueue(queue: Any, workflow: Any, batch_id: uuid.UUID, number: int) -> None:
    with SetWorkflowID(_name(batch_id, number)):
        queue.enqueue(workflow, str(batch_id), number)
