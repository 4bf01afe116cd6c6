"""Reads files out of a multipart body, bounded in bytes, parts and time. Knows HTTP, not what a file holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from hilum.web.refusals import (
    BodyIncomplete,
    BodyTooLarge,
    ContentEncodingRefused,
    FileMissing,
    MultipartLimits,
    MultipartMalformed,
    NotJson,
    NotMultipart,
    TooManyFiles,
    TooManyUploads,
    UploadTimeout,
)


@dataclass(frozen=True)
class UploadLimits:
    """Caps on one upload.

    Attributes:
        body_bytes: of the whole request body.
        parts, part_headers, header_bytes, field_bytes: of the multipart body.
        grace_s, bytes_per_s: a body must be whole within `grace_s` plus its bytes so far over `bytes_per_s`.
        held_bytes: bodies of all uploads under way, together.
        batch_bytes, batch_files: of a body with several files; a zip among them may hold as many.
        study_bytes, study_files: of a body with the slices of a study.
        json_bytes: of a body in JSON.
        dataset_bytes, dataset_files: of labelled images; such a body goes to disk and not into memory.
        scoring_bytes, scoring_files: of images that are scored later; such a body goes to disk too.
        references_bytes: of a body in JSON that lists such images.
    """

    body_bytes: int = 25_000_000
    parts: int = 20
    part_headers: int = 16
    header_bytes: int = 8192
    field_bytes: int = 1_000_000
    grace_s: float = 10.0
    bytes_per_s: int = 10_000
    held_bytes: int = 256_000_000
    batch_bytes: int = 100_000_000
    batch_files: int = 100
    study_bytes: int = 200_000_000
    study_files: int = 1000
    json_bytes: int = 16_000
    dataset_bytes: int = 512_000_000
    dataset_files: int = 5000
    scoring_bytes: int = 2_000_000_000
    scoring_files: int = 20_000
    references_bytes: int = 2_000_000


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
    header_bytes: int = 0
    chunks: list[bytes] = field(default_factory=list)
    size: int = 0


class FileCollector:
    """Follows the parser's callbacks and keeps the files of the parts named `field`."""

    def __init__(self, boundary: bytes, limits: UploadLimits, *, field: str = "file", most: int = 1) -> None:
        self._limits = limits
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
        try:
            self._parser.write(data)
        except FormParserError as error:
            if "maximum" in str(error).lower() or "exceed" in str(error).lower():
                raise MultipartLimits("a part has more or larger headers than this server reads") from error
            raise MultipartMalformed("the body does not follow multipart/form-data with its boundary") from error

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
            _, options = parse_options_header(self._header_value)
            self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
            file_name = options.get(b"filename")
            self._part.file_name = None if file_name is None else file_name.decode("utf-8", "replace")[:255]
        self._header_name = self._header_value = b""

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


class UploadReader:
    """Reads uploads, and bounds the memory all of them hold together. Used from one event loop."""

    def __init__(self, limits: UploadLimits) -> None:
        """Takes the caps on each upload and on all of them."""
        self.limits = limits
        self._held_bytes = 0

    async def read_file(self, request: Request) -> UploadedFile:
        """Reads the one file of a multipart request.

        Raises:
            RequestRefused: a leaf that says what is wrong with the request.
        """
        collector = FileCollector(boundary_of(request), self.limits)
        await self._read(request, self.limits.body_bytes, collector.feed)
        return collector.files()[0]

    async def read_files(self, request: Request) -> list[UploadedFile]:
        """Reads the files of a multipart request, in the parts named `files`, at least one.

        Raises:
            RequestRefused: a leaf that says what is wrong with the request.
        """
        collector = FileCollector(boundary_of(request), self.limits, field="files", most=self.limits.batch_files)
        await self._read(request, self.limits.batch_bytes, collector.feed)
        return collector.files()

    async def read_study(self, request: Request) -> list[UploadedFile]:
        """Reads the slices of a study, or a zip of them, in the parts named `files`.

        Raises:
            RequestRefused: a leaf that says what is wrong with the request.
        """
        collector = FileCollector(boundary_of(request), self.limits, field="files", most=self.limits.study_files)
        await self._read(request, self.limits.study_bytes, collector.feed)
        return collector.files()

    async def read_json(self, request: Request, most: int | None = None) -> bytes:
        """Reads a body in JSON, unparsed, of at most `most` bytes; None: of the usual limit.

        Raises:
            RequestRefused: a leaf that says what is wrong with the request.
        """
        kind, _ = parse_options_header(request.headers.get("content-type"))
        if kind != b"application/json":
            raise NotJson("send application/json")
        chunks: list[bytes] = []
        await self._read(request, most or self.limits.json_bytes, chunks.append)
        return b"".join(chunks)

    async def stream(self, request: Request, most: int, feed: Callable[[bytes], None]) -> None:
        """Hands a body of at most `most` bytes on as it comes, to someone who does not keep it in memory.

        Raises:
            RequestRefused: a leaf that says what is wrong with the request.
        """
        await self._read(request, most, feed, is_held=False)

    async def _read(self, request: Request, most: int, feed: Callable[[bytes], None], *, is_held: bool = True) -> None:
        declared = _declared_length(request)
        if declared is not None and declared > most:
            raise _too_large(most, declared)
        held = 0

        def take(chunk: bytes, received: int) -> None:
            nonlocal held
            if received > most:
                raise _too_large(most, received)
            held += len(chunk) if is_held else 0
            self._held_bytes += len(chunk) if is_held else 0
            if is_held and self._held_bytes > self.limits.held_bytes:
                raise TooManyUploads("other uploads fill the memory set aside for them; try again in a moment")
            feed(chunk)

        try:
            await self._receive(request, take)
        finally:
            self._held_bytes -= held

    async def _receive(self, request: Request, take: Callable[[bytes, int], None]) -> None:
        started_at, received, is_more = asyncio.get_running_loop().time(), 0, True
        try:
            async with asyncio.timeout(self.limits.grace_s) as timeout:
                while is_more:
                    message = await request.receive()
                    if message["type"] == "http.disconnect":
                        raise BodyIncomplete("the connection or the body's framing broke before the body was whole")
                    chunk = message.get("body", b"")
                    received += len(chunk)
                    is_more = message.get("more_body", False)
                    if is_more:
                        timeout.reschedule(started_at + self.limits.grace_s + received / self.limits.bytes_per_s)
                    take(chunk, received)
        except TimeoutError as error:
            slowest = self.limits.bytes_per_s
            raise UploadTimeout(f"a body must arrive at {slowest // 1000} kB/s or more", actual=received) from error


def _too_large(limit: int, size: int) -> BodyTooLarge:
    words = f"{limit // 1_000_000} MB" if limit >= 1_000_000 else f"{limit // 1000} kB"
    return BodyTooLarge(f"the upload is larger than {words}", limit=limit, actual=size)


def boundary_of(request: Request) -> bytes:
    """What parts the multipart body of a request.

    Raises:
        ContentEncodingRefused, NotMultipart, MultipartMalformed: there is no such body.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise ContentEncodingRefused("send the file as it is, without Content-Encoding")
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise NotMultipart("send multipart/form-data, as a browser's form does")
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:
        raise MultipartMalformed("the boundary must have 1 to 70 characters (RFC 2046, section 5.1.1)")
    return boundary


def _declared_length(request: Request) -> int | None:
    declared = request.headers.get("content-length")
    return int(declared) if declared is not None and declared.isascii() and declared.isdigit() else None
