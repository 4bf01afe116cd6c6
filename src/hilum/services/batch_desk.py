"""Batches as requests reach them: one upload at a time, on threads of their own. Knows no HTTP."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from hilum.errors import BatchUnavailable, Overloaded, StorageInvalid
from hilum.services.batch_rules import BatchCaps, BatchStatus, KeptImage, NewImage
from hilum.services.batch_supervision import BatchSupervisor
from hilum.services.batches import Batches, StoredBatch
from hilum.services.bundle_store import BUNDLES
from hilum.services.decoding import Decoders, Isolation
from hilum.services.registry import Registry
from hilum.services.state import StatePlaces
from hilum.services.watching import Watchers

Found = TypeVar("Found")

log = logging.getLogger(__name__)

SCORER = (sys.executable, "-m", "hilum.worker.batches")
_READERS = 2
_SWEEP_S = 3600.0


class BatchesDesk:
    """Takes batches and answers questions about them. Used from one event loop.

    Attributes:
        batches: what it stands before.
        caps: on a batch that comes by HTTP.
    """

    def __init__(self, batches: Batches, *, caps: BatchCaps | None = None, retention_days: int = 0) -> None:
        """Takes the batches.

        Args:
            batches: closed with the desk.
            caps: on a batch.
            retention_days: batches that have ended are deleted after so many days; 0: never.
        """
        self.batches = batches
        self.caps = caps or BatchCaps()
        self._retention_days = retention_days
        self._is_taking = False
        self._watchers = Watchers("batches")
        self._closing = threading.Event()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="hilum-batches-read")
        self._taker = ThreadPoolExecutor(1, thread_name_prefix="hilum-batches-take")
        self._janitor = threading.Thread(target=self._sweep_hourly, name="hilum-batches-sweep", daemon=True)

    def start(self) -> None:
        """Begins to delete old batches."""
        self._janitor.start()

    def end_streams(self) -> None:
        """Ends every `watch`: whoever watches asks another server, or this one once it runs again."""
        self._watchers.end()

    def close(self) -> None:
        """Ends what is under way and closes the connections."""
        self.end_streams()
        self._closing.set()
        self._taker.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self._janitor.join()
        self.batches.close()

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Lets a batch in until the block ends.

        Raises:
            Overloaded: another one is being received.
        """
        if self._is_taking:
            raise Overloaded("another batch is being received; try again in a moment", limit=1, actual=2)
        self._is_taking = True
        try:
            yield
        finally:
            self._is_taking = False

    async def take(self, images: Iterable[NewImage | KeptImage], *, note: str, actor: str) -> StoredBatch:
        """Takes a batch; it is on disk and queued when this returns.

        Raises:
            InputRejected: an archive cannot be trusted; nothing is kept.
            BatchUnavailable: the state does not answer, or there is no model yet.
        """
        return await self._run(self._taker, partial(self.batches.add, images, note=note, actor=actor))

    async def ask(self, question: Callable[[Batches], Found]) -> Found:
        """Answers a question, or does something small.

        Raises:
            BatchUnavailable: the state does not answer.
        """
        return await self._run(self._readers, lambda: question(self.batches))

    def watch(self, batch_id: str) -> AsyncIterator[StoredBatch]:
        """A batch each time it has changed, from now until it has ended or the server stops.

        Raises:
            BatchNotFound: none has this id.
            Overloaded: too many watch already.
            BatchUnavailable: the state does not answer.
        """
        return self._watchers.follow(
            lambda: self.ask(lambda batches: batches.find(batch_id)),
            is_active=lambda batch: BatchStatus(batch.status).is_active,
        )

    def _sweep_hourly(self) -> None:
        while not self._closing.wait(_SWEEP_S):
            try:
                self.batches.delete_old(self._retention_days)
            except StorageInvalid as error:
                log.warning("old batches could not be deleted", extra={"reason": error.detail})
            except Exception:
                log.exception("deleting old batches failed")

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], Found]) -> Found:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        except StorageInvalid as error:
            log.warning("batches cannot be reached", extra={"reason": error.detail})
            raise BatchUnavailable("batches cannot be reached at present; try again in a moment") from error


def open_batches(places: StatePlaces, *, is_audited: bool, isolation: Isolation = "codecs") -> Batches:
    """The batches in these places; no connection is opened yet.

    Raises:
        StorageInvalid: an address is of no known kind, or the folder for bytes cannot be made.
    """
    database = places.open_database()
    registry = Registry(database, places.open_blobs(BUNDLES), places.home, is_audited=is_audited)

    def find_model() -> str | None:
        champion = registry.champion()
        return champion.version if champion is not None else None

    return Batches(
        database, places.open_blobs, find_model=find_model, is_audited=is_audited, decoders=Decoders(isolation)
    )


def open_batch_supervisor(
    places: StatePlaces, environment: Mapping[str, str], *, steps_back: bool = False
) -> BatchSupervisor:
    """Scores batches in a process of its own.

    Args:
        places: where state lies.
        environment: of that process, besides this one's.
        steps_back: it gets what this process and others leave of the processor.

    Raises:
        DatabaseUnsupported: the database's address is of no known kind.
    """
    command = (*SCORER, "--step-back") if steps_back else SCORER
    return BatchSupervisor(places.open_database(), command, environment=environment)
