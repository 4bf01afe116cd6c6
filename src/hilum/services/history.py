"""The history of predictions: kept before they are acknowledged, found again, judged, deleted by age. Knows no HTTP."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from hilum.errors import (
    HistoryUnavailable,
    ImageNotKept,
    PredictionNotFound,
    StorageInvalid,
)
from hilum.services import audit_log as audit
from hilum.services import retention
from hilum.services.drift import RecentInput
from hilum.services.history_writer import GroupWriter
from hilum.services.image_keeper import ImageKeeper
from hilum.services.provenance import Provenance
from hilum.services.retention import Retention
from hilum.services.spare_blobs import require_prompt
from hilum.storage import feedback, predictions
from hilum.storage.audit_chain import NewEvent
from hilum.storage.audit_log import append
from hilum.storage.blobs import Blobs
from hilum.storage.database import Database
from hilum.storage.feedback import Feedback
from hilum.storage.predictions import Place, PredictionFilter, StoredPrediction

__all__ = ["Feedback", "History", "Kept", "NewPrediction", "Place", "PredictionFilter", "StoredPrediction"]

Found = TypeVar("Found")

log = logging.getLogger(__name__)

_READERS = 2
_EXPORT_PAGE = 500


@dataclass(frozen=True)
class NewPrediction:
    """A prediction to keep.

    Attributes:
        id: of the answer.
        image_sha256: of the file that was sent; neither it nor its name is wanted here.
        pixel_file: the slice without anything else that came with it, to be kept; None where it must not be.
        answer: as the caller will get it, in JSON's types, with `predicted_class`, `decision`, `model_version` and
            `latency_ms`.
        provenance: what answered.
        actor: who asked, for the audit log.
        statistics: what describes the input, for drift.
    """

    id: str
    image_sha256: str
    pixel_file: bytes | None
    answer: dict[str, Any]
    provenance: Provenance
    actor: str = audit.OPEN
    statistics: dict[str, float] | None = None


@dataclass(frozen=True)
class Kept:
    """What became of a prediction that was to be kept.

    Attributes:
        kept_sha256: of the copy of its image; None where none is kept.
    """

    kept_sha256: str | None

    @property
    def is_image_kept(self) -> bool:
        """Whether the image is kept too."""
        return self.kept_sha256 is not None


class History:
    """Keeps predictions in a database and their images in a store. Safe to use from several threads and event loops."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        *,
        keeps_images: bool = True,
        retention_days: int = 0,
        is_audited: bool = False,
        is_saturated: Callable[[], bool] = lambda: False,
    ) -> None:
        """Takes where predictions are kept; `start` begins to keep them.

        Args:
            database: with the newest tables, once it answers.
            blobs: where images are kept.
            keeps_images: False: only their hashes are.
            retention_days: predictions are deleted after so many days; 0: never.
            is_audited: predictions and feedback get their events in the audit log, in the same commit.
            is_saturated: whether slices wait for a core: predictions are then committed in larger groups.
        """
        self.keeps_images = keeps_images
        self._is_audited = is_audited
        self._database = database
        self._images = ImageKeeper(blobs, keeps_images=keeps_images)
        self._retention = Retention(database, blobs, days=retention_days)
        self._writer: GroupWriter[NewPrediction, Kept] = GroupWriter(self._commit, is_saturated=is_saturated)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="hilum-history-read")
        self._known_provenances: set[str] = set()

    def start(self) -> None:
        """Starts to keep predictions and, where a retention is set, to delete old ones."""
        self._images.start()
        self._writer.start()
        self._retention.start()

    def close(self) -> None:
        """Keeps what waits, and closes the connections."""
        self._retention.close()
        self._writer.close()
        self._readers.shutdown(wait=True)
        self._images.close()
        self._database.close()

    @property
    def trouble(self) -> str | None:
        """Why predictions cannot be kept at present, in words; None where they can."""
        return self._writer.trouble

    @property
    def image_trouble(self) -> str | None:
        """Why their images cannot be kept at present, in words; None where they can, or are not to be."""
        return self._images.trouble

    async def keep(self, prediction: NewPrediction) -> Kept | None:
        """Waits until a prediction is on disk; None where that was not possible in time."""
        return await self._writer.write(prediction)

    async def find(self, prediction_id: str) -> StoredPrediction:
        """Finds one prediction.

        Raises:
            PredictionNotFound: none has this id.
            HistoryUnavailable: the database does not answer.
        """
        return await self._read(lambda: self._find(prediction_id))

    async def page(
        self, wanted: PredictionFilter, *, before: Place | None = None, limit: int = 50
    ) -> Sequence[StoredPrediction]:
        """The newest `limit` predictions that are wanted and older than `before`.

        Raises:
            HistoryUnavailable: the database does not answer.
        """

        def read() -> Sequence[StoredPrediction]:
            with self._database.reading() as connection:
                return predictions.page(connection, wanted, before=before, limit=limit)

        return await self._read(read)

    async def pages(self, wanted: PredictionFilter) -> AsyncIterator[Sequence[StoredPrediction]]:
        """Every prediction that is wanted, the newest first, in pages.

        Raises:
            HistoryUnavailable: the database does not answer.
        """
        before: Place | None = None
        while some := await self.page(wanted, before=before, limit=_EXPORT_PAGE):
            yield some
            before = (some[-1].created_at, some[-1].id)

    async def recent_inputs(self, most: int) -> Sequence[RecentInput]:
        """What describes the inputs of the newest `most` predictions, the newest first.

        Raises:
            HistoryUnavailable: the database does not answer.
        """
        return await self._read(lambda: self.recent_inputs_now(most))

    def recent_inputs_now(self, most: int) -> Sequence[RecentInput]:
        """The same on the caller's thread.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        with self._database.reading() as connection:
            return [RecentInput(*row) for row in predictions.recent_inputs(connection, most)]

    async def provenance(self, prediction: StoredPrediction) -> dict[str, Any]:
        """What answered a prediction.

        Raises:
            HistoryUnavailable: the database does not answer.
        """

        def read() -> dict[str, Any]:
            with self._database.reading() as connection:
                return predictions.find_provenance(connection, prediction.provenance_digest) or {}

        return await self._read(read)

    async def image(self, prediction: StoredPrediction) -> bytes:
        """The copy of the slice that was classified, verified: its pixels and nothing else of the file.

        Raises:
            ImageNotKept: they are not kept, or damaged.
            HistoryUnavailable: the store of images does not answer.
        """
        if not prediction.is_image_kept:
            raise ImageNotKept("the image of this prediction was not kept, only its sha256")
        return await self._read(lambda: self._images.get(prediction.kept_sha256 or prediction.image_sha256))

    async def give_feedback(
        self, prediction_id: str, confirmed_class: str, *, is_new_label: bool, actor: str = audit.OPEN
    ) -> Feedback:
        """Keeps what a person confirmed instead of what was said before; the same said again changes nothing.

        Raises:
            PredictionNotFound: none has this id.
            HistoryUnavailable: the database does not answer.
        """

        def write() -> Feedback:
            stored = self._find(prediction_id)
            said = Feedback(stored.id, confirmed_class, is_new_label, datetime.now(UTC))
            with self._database.writing() as connection:
                kept = feedback.put(connection, said)
                if self._is_audited:
                    append(connection, [NewEvent(audit.FEEDBACK, actor, str(stored.id))])
                return kept

        return await self._read(write)

    def delete_old(self, now: datetime | None = None) -> int:
        """Deletes what is older than the retention. Raises and returns as `hilum.services.retention`."""
        return self._retention.delete_old(now)

    def _find(self, prediction_id: str) -> StoredPrediction:
        try:
            key = uuid.UUID(prediction_id)
        except ValueError:
            raise PredictionNotFound("a prediction's id is a UUID") from None
        with self._database.reading() as connection:
            found = predictions.find(connection, key)
        if found is None:
            raise PredictionNotFound("no prediction of this id is kept; it may have been deleted by age")
        return found

    async def _read(self, read: Callable[[], Found]) -> Found:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, read)
        except StorageInvalid as error:
            log.warning("the history cannot be reached", extra={"reason": error.detail})
            raise HistoryUnavailable("the history does not answer at present; try again in a moment") from error

    def _commit(self, group: Sequence[NewPrediction]) -> Sequence[Kept]:
        """Keeps a group; images first, so that no row names one that is not there."""
        began = time.monotonic()
        kept = [Kept(digest) for digest in self._images.put([new.pixel_file for new in group])]
        now = datetime.now(UTC)
        rows = [_row(new, image, now) for new, image in zip(group, kept, strict=True)]
        named = {new.provenance.digest: new.provenance.document for new in group}
        unknown = {digest: document for digest, document in named.items() if digest not in self._known_provenances}
        try:
            with self._database.writing() as connection:
                for digest, document in unknown.items():
                    predictions.add_provenance(connection, digest, document)
                predictions.add(connection, rows)
                if self._is_audited:
                    append(connection, [NewEvent(audit.PREDICT, new.actor, new.id) for new in group])
                require_prompt(began, retention.STAYS)
        except StorageInvalid:
            self._known_provenances.clear()  # the database may have been emptied or replaced
            raise
        self._known_provenances.update(unknown)
        return kept


def _row(new: NewPrediction, image: Kept, now: datetime) -> StoredPrediction:
    answer = new.answer
    return StoredPrediction(
        id=uuid.UUID(new.id),
        created_at=now,
        image_sha256=new.image_sha256,
        is_image_kept=image.is_image_kept,
        kept_sha256=image.kept_sha256,
        statistics=new.statistics,
        predicted_class=answer["predicted_class"],
        decision=answer["decision"],
        model_version=answer["model_version"],
        latency_ms=answer["latency_ms"],
        answer=answer,
        provenance_digest=new.provenance.digest,
    )
