"""Batches as they are asked for, watched, read and cancelled. Scores nothing and knows no HTTP."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from hilum.errors import ArchiveNoUsableImages, BatchActive, BatchNotFound, BatchUnavailable, StorageInvalid
from hilum.services import audit_log as audit
from hilum.services.batch_packs import chunks_of, kind_of
from hilum.services.batch_rules import BatchStatus, KeptImage, NewImage
from hilum.services.decoding import Decoders
from hilum.storage import batch_results, batches
from hilum.storage.audit_chain import NewEvent
from hilum.storage.audit_log import append
from hilum.storage.batch_results import StoredResult
from hilum.storage.batches import Place, StoredBatch
from hilum.storage.blobs import Blobs
from hilum.storage.database import Database

__all__ = ["Batches", "Place", "StoredBatch", "StoredResult"]

log = logging.getLogger(__name__)

_RESULTS_PAGE = 500
_RECEIVED_WITHIN = timedelta(days=1)
"""What is still being received after so long was broken off."""


class Batches:
    """Takes batches and tells how they stand. Safe to use from several threads."""

    def __init__(
        self,
        database: Database,
        open_packs: Callable[[str], Blobs],
        *,
        find_model: Callable[[], str | None],
        is_audited: bool = False,
        decoders: Decoders | None = None,
    ) -> None:
        """Takes what batches need.

        Args:
            database: with the newest tables, once it answers.
            open_packs: opens the blobs of one kind.
            find_model: names the model that scores; None where there is none yet.
            is_audited: batches get their event in the audit log, in the same commit.
            decoders: take the pixels out of the files that are sent; closed with the batches.
        """
        self._database = database
        self._open_packs = open_packs
        self._find_model = find_model
        self._is_audited = is_audited
        self._decoders = decoders or Decoders("none")

    def close(self) -> None:
        """Closes the connections, and ends the processes that decode."""
        self._decoders.close()
        self._database.close()

    def add(
        self,
        images: Iterable[NewImage | KeptImage],
        *,
        note: str = "",
        model_version: str | None = None,
        actor: str = audit.OPEN,
        progress: Callable[[int], None] | None = None,
    ) -> StoredBatch:
        """Takes a batch; it is on disk and queued when this returns, and leaves nothing behind where this raises.

        Args:
            images: read one at a time.
            note: why, in the words of who asks.
            model_version: that scores all of it; None: the champion of now.
            actor: who asks, for the audit log.
            progress: is told how many images were taken.

        Raises:
            InputRejected: an archive cannot be trusted, or holds nothing.
            BatchUnavailable: there is no model yet.
            Overloaded: no process could be started that decodes.
            StorageInvalid: the state does not answer.
        """
        version = model_version or self._find_model()
        if version is None:
            raise BatchUnavailable("no model is the champion yet; try again in a moment")
        batch = StoredBatch(uuid.uuid4(), "receiving", note, actor, version, datetime.now(UTC))
        packs = self._open_packs(kind_of(batch.id))
        with self._database.writing() as connection:
            batches.add(connection, batch)
        try:
            return self._received(batch, images, packs, progress)
        except BaseException:
            self._give_up(batch, packs)
            raise

    def find(self, batch_id: str) -> StoredBatch:
        """One batch.

        Raises:
            BatchNotFound: none has this id.
            DatabaseUnavailable: the database does not answer.
        """
        key = _key(batch_id)
        with self._database.reading() as connection:
            found = batches.find(connection, key)
        if found is None:
            raise BatchNotFound("no batch has this id; it may have been deleted")
        return found

    def page(self, *, before: Place | None = None, limit: int = 50) -> Sequence[StoredBatch]:
        """The newest `limit` batches older than `before`.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        with self._database.reading() as connection:
            return batches.page(connection, before=before, limit=limit)

    def results(self, batch_id: str, *, after: int = -1, limit: int = _RESULTS_PAGE) -> Sequence[StoredResult]:
        """The `limit` results that follow index `after`, of an image each, in the order of the images.

        Raises:
            BatchNotFound: no batch has this id.
            DatabaseUnavailable: the database does not answer.
        """
        key = _key(batch_id)
        with self._database.reading() as connection:
            return batch_results.page(connection, key, after=after, limit=limit)

    def all_results(self, batch_id: str) -> Iterator[Sequence[StoredResult]]:
        """Every result so far, in pages.

        Raises:
            BatchNotFound: no batch has this id.
            DatabaseUnavailable: the database does not answer.
        """
        after = -1
        while some := self.results(batch_id, after=after):
            yield some
            after = some[-1].item_index

    def cancel(self, batch_id: str) -> StoredBatch:
        """Ends a batch: no result is added from now on; one that has ended stays as it is.

        Raises:
            BatchNotFound: none has this id.
            DatabaseUnavailable: the database does not answer.
        """
        batch = self.find(batch_id)
        with self._database.writing() as connection:
            batches.end(connection, batch.id, BatchStatus.CANCELLED, datetime.now(UTC))
        self.tidy(batch.id)
        return self.find(batch_id)

    def remove(self, batch_id: str, *, actor: str = audit.OPEN) -> None:
        """Deletes a batch that has ended, with its results.

        Raises:
            BatchNotFound: none has this id.
            BatchActive: it has not ended; cancel it first.
            DatabaseUnavailable: the database does not answer.
        """
        batch = self.find(batch_id)
        with self._database.writing() as connection:
            if not batches.remove(connection, batch.id):
                raise BatchActive("the batch is being scored; cancel it first")
            if self._is_audited:
                append(connection, [NewEvent(audit.BATCH_DELETED, actor, str(batch.id))])
        self.tidy(batch.id)

    def wait(self, batch_id: str, *, every_s: float = 0.5) -> Iterator[StoredBatch]:
        """A batch each `every_s` seconds until it has ended, the last time as it ended.

        Raises:
            BatchNotFound: none has this id.
            DatabaseUnavailable: the database does not answer.
        """
        while True:
            batch = self.find(batch_id)
            yield batch
            if not BatchStatus(batch.status).is_active:
                return
            time.sleep(every_s)

    def tidy(self, batch_id: uuid.UUID) -> None:
        """Removes the bytes of a batch that has ended; what cannot be removed now is by `delete_old`."""
        try:
            remove_packs(self._open_packs(kind_of(batch_id)))
        except StorageInvalid as error:
            log.warning("the bytes of a batch cannot be removed", extra={"reason": error.detail})

    def delete_old(self, retention_days: int, now: datetime | None = None) -> int:
        """Deletes batches by age, and what was never received whole.

        Args:
            retention_days: after which a batch that has ended goes; 0: never.
            now: the moment.

        Returns:
            How many were deleted.

        Raises:
            StorageInvalid: the state does not answer; the next time goes on.
        """
        now = now or datetime.now(UTC)
        ended_before = now - timedelta(days=retention_days) if retention_days else None
        with self._database.writing() as connection:
            removed = batches.remove_old(connection, ended_before=ended_before, received_before=now - _RECEIVED_WITHIN)
        for batch_id in removed:
            self.tidy(batch_id)
        return len(removed)

    def _received(
        self,
        batch: StoredBatch,
        images: Iterable[NewImage | KeptImage],
        packs: Blobs,
        progress: Callable[[int], None] | None,
    ) -> StoredBatch:
        n_items = n_chunks = 0
        for chunk in chunks_of(images, batch.id, packs, self._decoders.decode):
            with self._database.writing() as connection:
                batches.add_chunk(connection, chunk)
            n_items += len(chunk.items)
            n_chunks += 1
            if progress is not None:
                progress(n_items)
        if not n_items:
            raise ArchiveNoUsableImages("the batch holds no files")
        with self._database.writing() as connection:
            batches.complete(connection, batch.id, n_items=n_items, n_chunks=n_chunks)
            if self._is_audited:
                details = {"images": str(n_items), "model": batch.model_version}
                append(connection, [NewEvent(audit.BATCH, batch.actor, str(batch.id), details)])
        log.info("a batch is queued", extra={"reason": f"{n_items} images", "model_version": batch.model_version})
        return self.find(str(batch.id))

    def _give_up(self, batch: StoredBatch, packs: Blobs) -> None:
        try:
            with self._database.writing() as connection:
                batches.remove(connection, batch.id)
            remove_packs(packs)
        except StorageInvalid as error:
            log.warning("a batch that was refused cannot be removed yet", extra={"reason": error.detail})


def remove_packs(packs: Blobs) -> None:
    """Removes every pack of a batch.

    Raises:
        BlobStoreUnavailable: the store does not answer.
    """
    for entry in list(packs.entries()):
        packs.delete(entry.digest)


def _key(batch_id: str) -> uuid.UUID:
    try:
        return uuid.UUID(batch_id)
    except ValueError:
        raise BatchNotFound("a batch's id is a UUID") from None
