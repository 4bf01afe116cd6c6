"""Scores a chunk of a batch: each image once, with a result or a problem. Knows no queue; may be done again any time.

A process that dies with a chunk leaves it to the next one, which goes on with the images that have no result. Where
that happened twice, images are scored and kept one by one, and an image that then still ends the process is refused.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from hilum.errors import (
    BatchItemFailed,
    BlobCorrupt,
    BlobMissing,
    BundleInvalid,
    HilumError,
    ImageNotKept,
    Overloaded,
    RegistryRefused,
    StorageInvalid,
)
from hilum.imaging.decode import CtSlice, Decode, Limits
from hilum.services.batch_items import problem_of
from hilum.services.batch_packs import kind_of, unpack
from hilum.services.batch_rules import BatchStatus
from hilum.services.batches import remove_packs
from hilum.services.model import SlicePredictor
from hilum.storage import batch_results, batches, predictions
from hilum.storage.batch_results import StoredResult
from hilum.storage.batches import StoredBatch, StoredChunk
from hilum.storage.blobs import Blobs
from hilum.storage.database import Database

log = logging.getLogger(__name__)

_CAREFUL_FROM = 3
"""From this attempt on images are kept one by one."""

_REFUSED_FROM = 5
"""From this attempt without a single image scored the next one is held to be what ends the process."""


@dataclass(frozen=True)
class _Work:
    """A chunk that is being scored."""

    batch: StoredBatch
    chunk: StoredChunk
    files: list[bytes | None]
    kept: dict[str, str]
    predictor: SlicePredictor


class ModelShelf:
    """Loads the models that batches name, and keeps the last one. Safe to use from several threads."""

    def __init__(self, fetch: Callable[[str], Path], load: Callable[[Path], SlicePredictor]) -> None:
        """Takes what finds the folder of a version, and what loads it."""
        self._fetch = fetch
        self._load = load
        self._lock = threading.Lock()
        self._last: tuple[str, SlicePredictor] | None = None

    def get(self, version: str) -> SlicePredictor:
        """The model of a version, verified and warm.

        Raises:
            BundleInvalid, RegistryRefused: it cannot be used.
            StorageInvalid: the registry does not answer.
        """
        with self._lock:
            if self._last is None or self._last[0] != version:
                self._last = (version, self._load(self._fetch(version)))
            return self._last[1]


class ChunkScorer:
    """Scores chunks. Safe to use from several threads."""

    def __init__(
        self,
        database: Database,
        open_blobs: Callable[[str], Blobs],
        slices: Blobs,
        models: ModelShelf,
        decoder: Decode,
        *,
        threads: int = 1,
    ) -> None:
        """Takes what scoring needs.

        Args:
            database: with the newest tables, once it answers.
            open_blobs: opens the blobs of one kind.
            slices: images of predictions, which batches may name.
            models: by version.
            decoder: decodes images.
            threads: images computed at once, over all chunks.
        """
        self._database = database
        self._open_blobs = open_blobs
        self._slices = slices
        self._models = models
        self._decoder = decoder
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="hilum-score")

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def score(self, batch_id: uuid.UUID, number: int) -> int:
        """Scores what is left of a chunk.

        Returns:
            How many images got their result from this call.

        Raises:
            StorageInvalid, Overloaded: the state does not answer, or no process can be started; to be called again.
        """
        begun = self._begin(batch_id, number)
        if begun is None:
            return 0
        batch, chunk = begun
        try:
            predictor = self._models.get(batch.model_version)
        except (BundleInvalid, RegistryRefused) as error:
            self._fail(batch, f"{error.title}: {error.detail}"[:1000])
            return 0
        with self._database.reading() as connection:
            done = batch_results.scored(connection, batch_id, first=chunk.first_index, count=len(chunk.items))
            named = [item["sha256"] for item in chunk.items if not item.keys() & {"size", "problem"}]
            kept = predictions.kept_copies(connection, named) if named else {}
        work = _Work(batch, chunk, self._files(chunk), kept, predictor)
        left = [place for place in range(len(chunk.items)) if chunk.first_index + place not in done]
        return self._score_left(work, left)

    def _begin(self, batch_id: uuid.UUID, number: int) -> tuple[StoredBatch, StoredChunk] | None:
        """The batch and the chunk; None where there is nothing to do."""
        with self._database.writing() as connection:
            batch = batches.find(connection, batch_id)
            if batch is None or not BatchStatus(batch.status).is_active:
                return None
            chunk = batches.begin_chunk(connection, batch_id, number)
            return None if chunk is None else (batch, chunk)

    def _score_left(self, work: _Work, left: Sequence[int]) -> int:
        if work.chunk.n_attempts < _CAREFUL_FROM:
            return self._keep(work, list(self._pool.map(partial(self._result, work), left)), is_last=True)
        count = 0
        for position, place in enumerate(left):
            is_suspect = position == 0 and work.chunk.n_attempts >= _REFUSED_FROM
            result = _refused(work, place) if is_suspect else self._result(work, place)
            count += self._keep(work, [result], is_last=False)
        self._keep(work, [], is_last=True)
        return count

    def _keep(self, work: _Work, results: Sequence[StoredResult], *, is_last: bool) -> int:
        """Keeps results with the batch's counts in one commit, unless the batch has ended."""
        batch, chunk = work.batch, work.chunk
        is_done = False
        with self._database.writing() as connection:
            if not batches.hold(connection, batch.id):
                return 0
            added = batch_results.add(connection, results) if results else []
            n_answered = sum(result.status == 200 for result in added)
            batches.count_scored(connection, batch.id, n_answered=n_answered, n_refused=len(added) - n_answered)
            if is_last:
                is_done = batches.end_chunk(connection, batch.id, chunk.number, datetime.now(UTC))
            elif added:
                batches.note_attempts(connection, batch.id, chunk.number, _CAREFUL_FROM - 1)
        if is_done:
            log.info("a batch is done", extra={"reason": str(batch.id), "model_version": batch.model_version})
            remove_packs(self._open_blobs(kind_of(batch.id)))
        return len(added)

    def _fail(self, batch: StoredBatch, failure: str) -> None:
        with self._database.writing() as connection:
            is_mine = batches.end(connection, batch.id, BatchStatus.FAILED, datetime.now(UTC), failure)
        if is_mine:
            log.error("a batch failed", extra={"reason": failure, "model_version": batch.model_version})
            remove_packs(self._open_blobs(kind_of(batch.id)))

    def _files(self, chunk: StoredChunk) -> list[bytes | None]:
        if chunk.pack_sha256 is None:
            return [None] * len(chunk.items)
        try:
            return unpack(chunk, self._open_blobs(kind_of(chunk.batch_id)).get(chunk.pack_sha256))
        except (BlobMissing, BlobCorrupt) as error:
            log.error("the bytes of a chunk are lost", extra={"reason": error.detail})  # noqa: TRY400 - it says it all
            return [None] * len(chunk.items)

    def _result(self, work: _Work, place: int) -> StoredResult:
        """What comes of one image, whatever it is."""
        item = work.chunk.items[place]
        if "problem" in item:
            return _result(work, place, item["problem"])
        try:
            data = work.files[place]
            if data is None:
                data = self._kept(work.kept.get(item["sha256"]))
            decoder = self._warning_as(item["warnings"]) if "warnings" in item else self._decoder
            prediction = work.predictor.predict(data, image_sha256=item["sha256"], decoder=decoder)
        except (BlobMissing, BlobCorrupt):
            return _result(work, place, problem_of(ImageNotKept("the image is no longer there, or is damaged")))
        except (StorageInvalid, Overloaded):  # says nothing of the image
            raise
        except HilumError as error:
            return _result(work, place, problem_of(error))
        except Exception:
            log.exception("scoring an image of a batch failed")
            return _result(work, place, problem_of(BatchItemFailed("scoring failed; the worker's log says how")))
        return _result(work, place, prediction.to_dict())

    def _warning_as(self, warnings: Sequence[str]) -> Decode:
        """Decodes what was taken out of a file, with the warnings that the file itself gave."""

        def decoded(
            data: bytes, *, name: str | None = None, limits: Limits | None = None, with_pixel_file: bool = False
        ) -> CtSlice:
            ct_slice = self._decoder(data, name=name, limits=limits, with_pixel_file=with_pixel_file)
            return replace(ct_slice, warnings=tuple(warnings))

        return decoded

    def _kept(self, digest: str | None) -> bytes:
        if digest is None:
            raise ImageNotKept("no image of this sha256 is kept")
        return self._slices.get(digest)


def _refused(work: _Work, place: int) -> StoredResult:
    words = "the process that scores the image ended each time it was tried"
    return _result(work, place, problem_of(BatchItemFailed(words)))


def _result(work: _Work, place: int, answer: dict[str, Any]) -> StoredResult:
    chunk = work.chunk
    sha256 = str(chunk.items[place]["sha256"])
    return StoredResult(work.batch.id, chunk.first_index + place, sha256, answer.get("status", 200), answer)
