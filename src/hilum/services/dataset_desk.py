"""The labelled images as requests reach them: one upload at a time, on threads of their own. Knows no HTTP."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from hilum.errors import DatasetFull, DatasetUnavailable, DiskFull, ImagesNotTaken, Overloaded, StorageInvalid
from hilum.imaging.decode import Decode
from hilum.services.datasets import Datasets, StoredBatch
from hilum.services.incoming_upload import IntakeLimits, UploadedPart, UploadListing
from hilum.services.model import SlicePredictor

Found = TypeVar("Found")

log = logging.getLogger(__name__)

_READERS = 2


class DatasetDesk:
    """Takes uploads and answers questions about labelled images. Used from one event loop.

    Attributes:
        datasets: what it stands before.
        limits: caps on an upload.
    """

    def __init__(
        self,
        datasets: Datasets,
        *,
        limits: IntakeLimits | None = None,
        workers: int = 1,
        takes_images: bool = True,
        retention_days: int = 0,
    ) -> None:
        """Takes the labelled images.

        Args:
            datasets: closed with the desk.
            limits: caps on an upload.
            workers: threads that decode an upload.
            takes_images: False: uploads are refused.
            retention_days: what is quarantined so long loses its picture; 0: never.
        """
        self.datasets = datasets
        self.limits = limits or IntakeLimits()
        self._workers = workers
        self._takes_images = takes_images
        self._retention_days = retention_days
        self._is_taking = False
        self._closing = threading.Event()
        self._janitor: threading.Thread | None = None
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="hilum-dataset-read")
        self._taker = ThreadPoolExecutor(1, thread_name_prefix="hilum-dataset-take")

    def start(self) -> None:
        """Sees to what an earlier process may have left undone, while uploads wait for it."""
        self._taker.submit(self._tidy)
        if self._retention_days:
            self._janitor = threading.Thread(target=self._tidy_hourly, name="hilum-dataset-retention", daemon=True)
            self._janitor.start()

    def close(self) -> None:
        """Ends what is under way and closes the connections."""
        self._closing.set()
        if self._janitor is not None:
            self._janitor.join()
        self._taker.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self.datasets.close()

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Lets an upload in until the block ends.

        Raises:
            ImagesNotTaken: none are taken here.
            Overloaded: another one is under way.
        """
        if not self._takes_images:
            raise ImagesNotTaken("this server keeps no images, and a labelled image that is not kept teaches nothing")
        if self._is_taking:
            raise Overloaded("another upload is being taken in; try again in a moment", limit=1, actual=2)
        self._is_taking = True
        try:
            yield
        finally:
            self._is_taking = False

    async def take(
        self,
        parts: list[UploadedPart],
        predictor: SlicePredictor,
        decoder: Decode,
        *,
        label: str | None,
        group: str | None,
        takes_new_classes: bool,
        actor: str,
    ) -> StoredBatch:
        """Takes an upload in; it is on disk when this returns.

        Raises:
            LabelInvalid, InputRejected: the upload is refused as a whole, and nothing of it is kept.
            DatasetUnavailable: the database or the store does not answer.
            DatasetFull: the disk is full.
        """

        def work() -> StoredBatch:
            listing = UploadListing(
                parts,
                label=label,
                group=group,
                known_classes=predictor.manifest.class_names,
                limits=self.limits,
            )
            return self.datasets.add(
                listing.files(),
                source="upload",
                predictor=predictor,
                decoder=decoder,
                takes_new_classes=takes_new_classes,
                actor=actor,
                workers=self._workers,
            )

        return await self._run(self._taker, work)

    def join_feedback_soon(self) -> None:
        """Takes what was just confirmed of predictions in, behind any upload; nobody waits for it."""
        self._taker.submit(self._join_feedback)

    async def ask(self, question: Callable[[Datasets], Found]) -> Found:
        """Answers a question, or does something small.

        Raises:
            DatasetUnavailable: the database or the store does not answer.
        """
        return await self._run(self._readers, lambda: question(self.datasets))

    def _tidy(self) -> None:
        self._join_feedback()
        if self._retention_days:
            forget = partial(self.datasets.forget_quarantined, self._retention_days)
            self._quietly(forget, "pictures in quarantine could not be forgotten")
        self._quietly(self.datasets.sweep, "bytes of labelled images could not be swept")

    def _tidy_hourly(self) -> None:
        while not self._closing.wait(3600):
            self._taker.submit(self._tidy)

    def _join_feedback(self) -> None:
        self._quietly(self.datasets.take_feedback, "confirmed predictions could not join the labelled images")

    def _quietly(self, work: Callable[[], int], trouble: str) -> None:
        """Does what nobody waits for; where it fails, the next start does it."""
        try:
            work()
        except StorageInvalid as error:
            log.warning(trouble, extra={"reason": error.detail})
        except Exception:
            log.exception(trouble)

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], Found]) -> Found:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        except DiskFull as error:
            log.warning("there is no room for labelled images", extra={"reason": error.detail})
            raise DatasetFull("there is no room for labelled images; nothing of this upload is kept") from error
        except StorageInvalid as error:
            log.warning("the labelled images cannot be reached", extra={"reason": error.detail})
            raise DatasetUnavailable("the labelled images do not answer at present; try again in a moment") from error
        except OSError as error:  # a scratch file: no room for it, or no file descriptor is left
            log.warning("labelled images cannot be worked on", extra={"reason": str(error)})
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise DatasetFull("there is no room for labelled images; nothing of this upload is kept") from error
            raise DatasetUnavailable("the system gives no more files at present; try again in a moment") from error
