"""Starts a process that scores while there are batches, and another one where it dies. Scores nothing itself."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence

from hilum.errors import StorageInvalid
from hilum.services.child_process import start_child
from hilum.storage import batch_results, batches
from hilum.storage.database import Database

log = logging.getLogger(__name__)

LOOK_S = 1.0
_AGAIN_S = 2.0
_END_S = 5.0


class BatchSupervisor:
    """Looks for batches on a thread of its own. While there are none, nothing that scores them is in memory."""

    def __init__(
        self, database: Database, command: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> None:
        """Takes what it needs; `start` begins to look.

        Args:
            database: with the newest tables, once it answers.
            command: of the process that scores, which gets the name of its place as an argument. Whichever process
                follows a dead one has the same name, so that it takes back what that had begun.
            environment: of that process, besides this one's.
        """
        self.name = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._database = database
        self._command = tuple(command)
        self._environment = dict(environment or {})
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_out_of_reach = False

    def start(self) -> None:
        """Begins to look for batches."""
        self._thread = threading.Thread(target=self.run, name="hilum-batch-supervisor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the process that scores, whose chunks go to others or to the next one; closes the connections."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        self._database.close()

    def run(self) -> None:
        """Looks for batches until `close`."""
        while not self._closing.is_set():
            wait_s = LOOK_S
            try:
                if self._is_wanted() and self._attend():
                    wait_s = _AGAIN_S
                self._is_out_of_reach = False
            except StorageInvalid as error:
                if not self._is_out_of_reach:
                    log.warning("batches cannot be looked for", extra={"reason": error.detail})
                self._is_out_of_reach = True
            except Exception:
                log.exception("supervising batches failed")
            self._closing.wait(wait_s)

    def _is_wanted(self) -> bool:
        with self._database.reading() as connection:
            return batches.is_any_active(connection)

    def _attend(self) -> bool:
        """Starts the process that scores and stays with it until it ends; whether it died."""
        process = start_child([*self._command, self.name], self._environment)
        try:
            while process.poll() is None and not self._closing.is_set():
                self._closing.wait(0.2)
        finally:
            if self._closing.is_set() and process.stdin is not None:
                process.stdin.close()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_END_S)
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
        if self._closing.is_set():
            self._hand_on()
        if process.returncode and not self._closing.is_set():
            log.warning("the process that scores batches died", extra={"reason": f"exit code {process.returncode}"})
            return True
        return False

    def _hand_on(self) -> None:
        """Lets others take at once what the process had begun."""
        try:
            with self._database.writing() as connection:
                batch_results.release_worker(connection, self.name)
        except StorageInvalid:
            return  # they take it once they miss it
