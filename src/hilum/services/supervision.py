"""Takes the run that waits, starts a process for it, and sees to it until it ends. Trains nothing itself."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hilum.errors import StorageInvalid
from hilum.services.child_process import start_child
from hilum.services.run_progress import RunProgress
from hilum.services.run_rules import RunStatus
from hilum.storage import training_runs
from hilum.storage.database import Database
from hilum.storage.training_runs import StoredRun

log = logging.getLogger(__name__)

LOOK_S = 1.0
LEASE_S = 15.0
_RENEW_S = 2.0
_CANCEL_S = 4.0
"""What a run's process gets to end by itself once its end is asked for."""

_TIDY_S = 10.0
_SEEN_EVERY_S = 5.0
_FORGOTTEN_AFTER = timedelta(days=1)
MOST_ATTEMPTS = 5


class Supervisor:
    """Looks for a run on a thread of its own. While there is none, nothing of training is in memory."""

    def __init__(
        self,
        database: Database,
        command: Sequence[str],
        runs: Path,
        *,
        environment: Mapping[str, str] | None = None,
        is_announced: bool = True,
    ) -> None:
        """Takes what it needs; `start` begins to look.

        Args:
            database: with the newest tables, once it answers.
            command: of the process of a run, which gets the run's id and the owner of its lease as arguments.
            runs: folder of the runs' folders, in which their processes tell of their progress.
            environment: of that process, besides this one's.
            is_announced: other servers are told that runs are taken here, at a small write every 5 seconds.
        """
        self.name = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._database = database
        self._command = tuple(command)
        self._runs = runs
        self._environment = dict(environment or {})
        self._is_announced = is_announced
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen_at = -_SEEN_EVERY_S
        self._is_out_of_reach = False
        self._last_death = "under another supervisor"

    def start(self) -> None:
        """Begins to look for runs."""
        self._thread = threading.Thread(target=self.run, name="hilum-supervisor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the process of a run, which another supervisor, or the next, goes on with; closes the connections."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        self._database.close()

    def run(self) -> None:
        """Looks for runs until `close`."""
        while not self._closing.is_set():
            try:
                self._say_hello()
                taken = self._take()
                if taken is not None:
                    self._attend(taken)
                self._is_out_of_reach = False
            except StorageInvalid as error:
                if not self._is_out_of_reach:
                    log.warning("runs cannot be looked for", extra={"reason": error.detail})
                self._is_out_of_reach = True
            except Exception:
                log.exception("supervising failed")
            self._closing.wait(LOOK_S)
        self._say_goodbye()

    def _take(self) -> StoredRun | None:
        now = datetime.now(UTC)
        with self._database.reading() as connection:  # most looks find nothing, and need not lock
            if training_runs.find_active(connection) is None:
                return None
        with self._database.writing() as connection:
            return training_runs.take(connection, self.name, now=now, until=now + timedelta(seconds=LEASE_S))

    def _attend(self, run: StoredRun) -> None:
        """Starts the run's process and stays with it."""
        if run.cancel_requested_at is not None:
            self._end(run, RunStatus.CANCELLED)
            return
        if run.n_attempts > MOST_ATTEMPTS:
            self._end(run, RunStatus.FAILED, f"its process died {MOST_ATTEMPTS} times, {self._last_death}")
            return
        log.info("a training run begins", extra={"reason": f"{run.id}, attempt {run.n_attempts}"})
        process = start_child([*self._command, str(run.id), self.name], self._environment)
        try:
            self._watch(run, process)
        finally:
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
        self._settle(run, process.returncode)

    def _watch(self, run: StoredRun, process: subprocess.Popen[bytes]) -> None:
        """Renews the lease and writes progress until the process has ended, or must be ended."""
        renewed_at = time.monotonic()
        progress, stage = RunProgress(self._runs / str(run.id)), run.stage
        cancelled_at: float | None = None
        while process.poll() is None and not self._closing.is_set():
            self._closing.wait(0.2)
            now = time.monotonic()
            if cancelled_at is not None and now - cancelled_at > _CANCEL_S:
                return
            told = progress.told()
            if now - renewed_at < _RENEW_S / 2 and told.get("stage", stage) == stage:
                continue
            try:
                self._say_hello()
                current = self._renew(run, told)
            except StorageInvalid:
                if now - renewed_at > LEASE_S - _RENEW_S:
                    log.warning("the lease on the run cannot be renewed, so its process is ended")
                    return
                continue
            renewed_at = now
            if current is None:
                self._let_end(run, process)
                return
            stage = current.stage
            if current.cancel_requested_at is not None and cancelled_at is None:
                cancelled_at = now

    def _renew(self, run: StoredRun, told: Mapping[str, Any]) -> StoredRun | None:
        """The run, with what its process told and a longer lease; None where it is another's, or has ended."""
        until = datetime.now(UTC) + timedelta(seconds=LEASE_S)
        with self._database.writing() as connection:
            return training_runs.note_progress(connection, run.id, self.name, {**told, "lease_until": until})

    def _let_end(self, run: StoredRun, process: subprocess.Popen[bytes]) -> None:
        """Gives the process of a run that has ended time to put its things away; one whose run is lost has none."""
        with self._database.reading() as connection:
            current = training_runs.find(connection, run.id)
        if current is not None and not RunStatus(current.status).is_active:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_TIDY_S)

    def _settle(self, run: StoredRun, code: int) -> None:
        """Sees to a run whose process has ended without ending it."""
        with self._database.writing() as connection:
            current = training_runs.find(connection, run.id)
            if current is None or current.lease_owner != self.name:
                return
            if current.cancel_requested_at is None:
                training_runs.release(connection, run.id, self.name, is_forgiven=self._closing.is_set())
        if current.cancel_requested_at is not None:
            self._end(run, RunStatus.CANCELLED)
        elif not self._closing.is_set():
            self._last_death = _death_in_words(code)
            log.warning("the process of a training run died", extra={"reason": self._last_death})

    def _end(self, run: StoredRun, status: RunStatus, failure: str | None = None) -> None:
        with self._database.writing() as connection:
            values = {"ended_at": datetime.now(UTC), "failure": failure}
            training_runs.end(connection, run.id, self.name, status, values)
        log.info("the training run has ended", extra={"reason": str(status)})

    def _say_hello(self) -> None:
        if not self._is_announced or time.monotonic() - self._seen_at < _SEEN_EVERY_S:
            return
        now = datetime.now(UTC)
        with self._database.writing() as connection:
            training_runs.see_worker(connection, self.name, now, forget_before=now - _FORGOTTEN_AFTER)
        self._seen_at = time.monotonic()

    def _say_goodbye(self) -> None:
        if not self._is_announced:
            return
        try:
            with self._database.writing() as connection:
                training_runs.forget_worker(connection, self.name)
        except StorageInvalid:
            return  # it is forgotten by its age


def _death_in_words(code: int) -> str:
    if code == -signal.SIGKILL:
        return "killed from outside: so does a system that runs out of memory"
    return f"the last time with exit code {code}; the log of the worker says more"
