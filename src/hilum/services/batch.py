"""Several files at once: what a zip among them holds, and how many batches are taken. Knows no HTTP and no model."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from hilum.dataset.archive import ArchiveLimits, is_archive, read_members
from hilum.errors import ArchiveNested, ArchiveNoUsableImages, ArchiveTooManyFiles, Overloaded

_MEMBERS_PER_FILE = 3
"""A zip also lists folders and what operating systems leave behind."""


@dataclass(frozen=True)
class BatchLimits:
    """Caps on a batch.

    Attributes:
        files: that are classified.
        unpacked_bytes: of all members of a zip together.
        file_bytes: of one member.
        at_once: batches under way in one process; each may hold its files in memory.
    """

    files: int = 100
    unpacked_bytes: int = 200_000_000
    file_bytes: int = 25_000_000
    at_once: int = 2


@dataclass(frozen=True)
class BatchFile:
    """One file of a batch.

    Attributes:
        data: its bytes.
        name: what it is called; compared with its content only.
    """

    data: bytes
    name: str


STUDY_LIMITS = BatchLimits(files=1000, unpacked_bytes=800_000_000, at_once=1)
"""A study's files are taken out of their zip one at a time, so that it may hold more."""


class BatchDesk:
    """Admits batches. Used from one event loop."""

    def __init__(self, limits: BatchLimits | None = None) -> None:
        """Takes the caps."""
        self.limits = limits or BatchLimits()
        self._under_way = 0

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Lets a batch in until the block ends.

        Raises:
            Overloaded: as many as the limit are under way.
        """
        if self._under_way >= self.limits.at_once:
            raise Overloaded(
                "other batches are under way; try again in a moment",
                limit=self.limits.at_once,
                actual=self._under_way + 1,
            )
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1


def members_of(files: Sequence[BatchFile], limits: BatchLimits) -> Iterator[BatchFile]:
    """The files, and those of a zip in its place, in the zip's own order, one at a time.

    Where an error is raised the batch is to be refused as a whole, also what was yielded before.

    Raises:
        InputRejected: an Archive… leaf.
    """
    count = 0
    for file in files:
        is_zip = is_archive(io.BytesIO(file.data))
        for one in _members(file.data, limits) if is_zip else (file,):
            count += 1
            if count > limits.files:
                raise ArchiveTooManyFiles(
                    f"a batch takes at most {limits.files} files", limit=limits.files, actual=count
                )
            yield one
    if not count:
        raise ArchiveNoUsableImages("the archive holds no files")


def unpack(files: Sequence[BatchFile], limits: BatchLimits) -> list[BatchFile]:
    """Puts the files of a zip in its place, in the zip's own order.

    Raises:
        InputRejected: an Archive… leaf; a zip that cannot be trusted is refused, and with it the batch.
    """
    return list(members_of(files, limits))


def _members(data: bytes, limits: BatchLimits) -> Iterator[BatchFile]:
    caps = ArchiveLimits(
        members=limits.files * _MEMBERS_PER_FILE,
        total_bytes=limits.unpacked_bytes,
        member_bytes=limits.file_bytes,
    )
    try:
        for member in read_members(io.BytesIO(data), caps):
            yield BatchFile(member.data, member.name)
    except ArchiveNested as error:  # its words name the member, and answers name no files
        raise ArchiveNested("the archive holds another one; unpack that one first") from error
