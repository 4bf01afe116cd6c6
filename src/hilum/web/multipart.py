"""Takes a multipart body apart, strictly and bounded in parts and bytes. Knows the format, not what a file holds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from starlette.requests import Request

from hilum.web.field_values import kind_and_parameters
from hilum.web.refusals import (
    ContentEncodingRefused,
    FileMissing,
    MultipartLimits,
    MultipartMalformed,
    NotMultipart,
    TooManyFiles,
)
from hilum.web.upload_limits import UploadLimits

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_SPACE = b" \t\r\n"


@dataclass(frozen=True)
class UploadedFile:
    """A file as it was sent.

    Attributes:
        data: its bytes.
        name: what the sender calls it; never logged, stored or used as a path.
    """

    data: bytes
    name: str


@dataclass
class Part:
    """A part of a multipart body, as far as it was read."""

    name: str = ""
    file_name: str | None = None
    is_disposed: bool = False
    header_bytes: int = 0
    chunks: list[bytes] = field(default_factory=list)
    size: int = 0


class FileCollector:
    """Follows the parser's callbacks and keeps the files of the parts named `field`."""

    def __init__(self, boundary: bytes, limits: UploadLimits, *, field: str = "file", most: int = 1) -> None:
        self._limits = limits
        self._last = b"\r\n--" + boundary + b"--"
        self._recent = b""
        self._delimiters = 0
        self._has_begun = False
        self._field = field
        self._most = most
        self._parts = 0
        self._part = Part()
        self._header_name = b""
        self._header_value = b""
        self._files: list[UploadedFile] = []
        self._has_text_field = False
        self._is_whole = False
        callbacks: dict[str, Any] = {
            "on_part_begin": self._begin_part,
            "on_part_data": self._take_data,
            "on_part_end": self._end_part,
            "on_header_field": self._take_header_name,
            "on_header_value": self._take_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_end": self._end,
        }
        self._parser = MultipartParser(
            boundary,
            callbacks,  # type: ignore[arg-type]
            max_header_count=limits.part_headers,
            max_header_size=limits.header_bytes,
        )

    def feed(self, data: bytes) -> None:
        """Parses a chunk of the body.

        Raises:
            MultipartMalformed, MultipartLimits, TooManyFiles: it cannot be taken.
        """
        if self._is_whole:
            _require_nothing_in(data)
            return
        if not self._has_begun:  # the parser would pass over whatever follows an empty line
            data = data.lstrip(b"\r\n")
            self._has_begun = bool(data)
        try:
            self._parser.write(data)
        except FormParserError as error:
            if "maximum" in str(error).lower() or "exceed" in str(error).lower():
                raise MultipartLimits("a part has more or larger headers than this server reads") from error
            raise MultipartMalformed("the body does not follow multipart/form-data with its boundary") from error
        seen = self._recent + data
        self._check_delimiters(seen)
        if self._is_whole:
            _require_nothing_in(_behind(self._last, seen))
        self._recent = (self._recent + data[-len(self._last) :])[-len(self._last) :]

    def _check_delimiters(self, seen: bytes) -> None:
        """Refuses a boundary that parts nothing: it is forbidden (RFC 2046, section 5.1), and slow to look at.

        Each but the first begins a part or ends the body, and one may have come in half.
        """
        delimiter = self._last[:-2]
        self._delimiters += seen.count(delimiter, max(0, len(self._recent) - len(delimiter) + 1))
        if self._delimiters > self._parts + (not self._is_whole):
            raise MultipartMalformed("the boundary stands within a part")

    def files(self) -> list[UploadedFile]:
        """The files in the order they were sent, at least one, once the body is whole.

        Raises:
            MultipartMalformed: the last boundary is missing.
            FileMissing: no part of the wanted name held a file.
        """
        self.require_whole(has_files=bool(self._files))
        return self._files

    def require_whole(self, *, has_files: bool) -> None:
        """Returns where the body is whole and holds a file.

        Raises:
            MultipartMalformed: the last boundary is missing.
            FileMissing: no part of the wanted name held a file.
        """
        if not self._is_whole:
            raise MultipartMalformed("the body ends before its last boundary")
        if not has_files:
            is_text = (
                f"the field {self._field!r} holds text; give the part a filename" if self._has_text_field else None
            )
            raise FileMissing(is_text or f"send the slice as a multipart part named {self._field!r}")

    def _begin_part(self) -> None:
        self._parts += 1
        self._part = Part()
        most = self._limits.parts + self._most - 1
        if self._parts > most:
            raise MultipartLimits("the body has too many parts", limit=most, actual=self._parts)

    def _take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header_name += data[start:end]

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header_value += data[start:end]

    def _count_header(self, size: int) -> None:
        self._part.header_bytes += size
        if self._part.header_bytes > self._limits.header_bytes:
            raise MultipartLimits("a part's headers are too long", limit=self._limits.header_bytes)

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._dispose()
        self._header_name = self._header_value = b""

    def _dispose(self) -> None:
        """Reads what a part is called."""
        try:
            kind, options = kind_and_parameters(self._header_value.decode("utf-8", "replace"))
        except ValueError as error:
            raise MultipartMalformed(f"a part's Content-Disposition cannot be read: {error}") from error
        if kind != "form-data" or self._part.is_disposed:
            raise MultipartMalformed("a part needs one Content-Disposition, of form-data (RFC 7578, section 4.2)")
        if any("*" in name for name in options):
            raise MultipartMalformed("`filename*` is not for forms; send `filename` in UTF-8 (RFC 7578, section 4.2)")
        self._part.is_disposed = True
        self._part.name = options.get("name", "")
        file_name = options.get("filename")
        self._part.file_name = None if file_name is None else file_name[:255]

    def _end_headers(self) -> None:
        if not self._part.is_disposed:
            raise MultipartMalformed("a part needs one Content-Disposition, of form-data (RFC 7578, section 4.2)")

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        self._part.size += end - start
        is_file = self._part.name == self._field and self._part.file_name is not None
        if is_file:
            self._part.chunks.append(data[start:end])
        elif self._part.size > self._limits.field_bytes:
            raise MultipartLimits("a field is too long", limit=self._limits.field_bytes, actual=self._part.size)

    def _end_part(self) -> None:
        if self._part.name != self._field:
            return
        if self._part.file_name is None:
            self._has_text_field = True
            return
        if len(self._files) == self._most:
            words = "send one file at a time" if self._most == 1 else f"send at most {self._most} files at a time"
            raise TooManyFiles(words, limit=self._most, actual=self._most + 1)
        self._files.append(UploadedFile(b"".join(self._part.chunks), self._part.file_name))
        self._part = Part()

    def _end(self) -> None:
        self._is_whole = True


def _behind(last: bytes, seen: bytes) -> bytes:
    """What follows the last boundary in the end of a body; an empty form begins with it."""
    is_empty = last not in seen
    return seen.partition(last[2:] if is_empty else last)[2]


def _require_nothing_in(epilogue: bytes) -> None:
    """What follows the last boundary is read by nobody here, and may be by another: so nothing may follow."""
    if epilogue.strip(_SPACE):
        raise MultipartMalformed("something follows the body's last boundary")


def boundary_of(request: Request) -> bytes:
    """What parts the multipart body of a request.

    Raises:
        ContentEncodingRefused, NotMultipart, MultipartMalformed: there is no such body.
    """
    encodings = ",".join(request.headers.getlist("content-encoding")).lower().split(",")
    if not {encoding.strip() for encoding in encodings} <= {"", "identity"}:
        raise ContentEncodingRefused("send the file as it is, without Content-Encoding")
    kinds = request.headers.getlist("content-type")
    if not kinds or kinds[0].partition(";")[0].strip().lower() != "multipart/form-data":
        raise NotMultipart("send multipart/form-data, as a browser's form does")
    if len(kinds) > 1:
        raise MultipartMalformed("send one Content-Type header")
    try:
        _, options = kind_and_parameters(kinds[0])
    except ValueError as error:
        raise MultipartMalformed(f"the Content-Type cannot be read: {error}") from error
    boundary = options.get("boundary", "")
    if _BOUNDARY.fullmatch(boundary) is None:
        raise MultipartMalformed("the boundary must have 1 to 70 of certain characters (RFC 2046, section 5.1.1)")
    return boundary.encode("ascii")
