"""Reads a form with files onto disk, bounded in bytes, parts and time. Knows HTTP, not what a file holds."""

from __future__ import annotations

import errno
import io
import os
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

from starlette.requests import Request

from hilum.services.incoming_upload import UploadedPart
from hilum.web.multipart import FileCollector, Part, boundary_of
from hilum.web.refusals import InsufficientStorage, MultipartLimits, RequestInvalid, TooManyFiles, TooManyUploads
from hilum.web.upload_limits import UploadLimits
from hilum.web.uploads import UploadReader

_FIELD = "files"
_LONGEST_FIELD = 1000


class UploadSpool:
    """A temporary file that holds the files of one upload, one behind the other; it goes when it is closed."""

    def __init__(self) -> None:
        """Makes the file.

        Raises:
            InsufficientStorage: the disk is full, or takes no file.
            TooManyUploads: every file descriptor is in use.
        """
        try:
            self._file: Any = TemporaryFile(prefix="hilum-upload-", buffering=1_000_000)  # noqa: SIM115 - see `close`
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                raise TooManyUploads("no more files can be opened at present; try again in a moment") from error
            raise InsufficientStorage("the disk that uploads pass through is full, or takes no file") from error
        self._size = 0
        self._extents: list[tuple[int, int]] = []
        self._start = 0

    def write(self, data: bytes) -> None:
        """Adds bytes to the file that is being written.

        Raises:
            InsufficientStorage: the disk is full.
        """
        try:
            self._file.write(data)
        except OSError as error:
            raise InsufficientStorage("the disk that uploads pass through is full") from error
        self._size += len(data)

    def end_file(self) -> None:
        """Ends the file that is being written."""
        self._extents.append((self._start, self._size - self._start))
        self._start = self._size

    def parts(self) -> list[UploadedPart]:
        """The files in the order they were written.

        Raises:
            InsufficientStorage: the disk is full.
        """
        try:
            self._file.flush()
        except OSError as error:
            raise InsufficientStorage("the disk that uploads pass through is full") from error
        return [self._part(start, size) for start, size in self._extents]

    def close(self) -> None:
        """Forgets everything."""
        try:
            self._file.close()
        except OSError:  # what could not be flushed is not wanted any more
            return

    def _part(self, start: int, size: int) -> UploadedPart:
        def opened() -> BinaryIO:
            return cast("BinaryIO", io.BufferedReader(_Window(self._file.fileno(), start, size), 256 * 1024))

        return UploadedPart(opened, size)


class _Window(io.RawIOBase):
    """A stretch of a file, as a file of its own."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        self._descriptor = descriptor
        self._start = start
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, "the position lies before the beginning")  # as of any file
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        wanted = max(0, min(len(view), self._size - self._at))
        data = os.pread(self._descriptor, wanted, self._start + self._at)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


class _FormCollector(FileCollector):
    """Writes the files of a form to a spool and keeps its fields."""

    def __init__(self, boundary: bytes, limits: UploadLimits, spool: UploadSpool, most: int) -> None:
        super().__init__(boundary, limits, field=_FIELD, most=most)
        self.fields: dict[str, str] = {}
        self._spool = spool
        self._n_files = 0

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        part.size += end - start
        if part.file_name is not None:
            if part.name == _FIELD:
                self._spool.write(data[start:end])
            return
        if part.size > _LONGEST_FIELD:
            raise MultipartLimits("a field is too long", limit=_LONGEST_FIELD, actual=part.size)
        part.chunks.append(data[start:end])

    def _end_part(self) -> None:
        part, self._part = self._part, Part()
        if part.file_name is None:
            if part.name == _FIELD:
                self._has_text_field = True
                return
            if part.name in self.fields:
                raise RequestInvalid("a field of the form is there twice")
            self.fields[part.name] = b"".join(part.chunks).decode("utf-8", "replace")
            return
        if part.name != _FIELD:  # nothing that was sent to be kept is dropped without a word
            raise RequestInvalid(f"send every file in a part named {_FIELD}")
        self._n_files += 1
        if self._n_files > self._most:
            raise TooManyFiles(f"send at most {self._most} files at a time", limit=self._most, actual=self._n_files)
        self._spool.end_file()

    def check_whole(self) -> None:
        """Returns where the form is whole and holds a file."""
        self.require_whole(has_files=self._n_files > 0)


async def read_form(
    reader: UploadReader,
    request: Request,
    spool: UploadSpool,
    *,
    most_files: int | None = None,
    most_bytes: int | None = None,
) -> dict[str, str]:
    """Reads a form whose files are in the parts named `files`, at least one, onto `spool`.

    Args:
        reader: has the limits.
        request: whose body it is.
        spool: gets the files.
        most_files: caps them; None: as many as of labelled images.
        most_bytes: caps the body; None: as much as of labelled images.

    Returns:
        The form's other fields.

    Raises:
        RequestRefused: a leaf that says what is wrong with the request.
    """
    limits = reader.limits
    collector = _FormCollector(boundary_of(request), limits, spool, most_files or limits.dataset_files)
    await reader.stream(request, most_bytes or limits.dataset_bytes, collector.feed)
    collector.check_whole()
    return collector.fields
