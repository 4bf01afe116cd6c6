"""Reads request bodies, bounded in bytes and time. Knows HTTP, not what a body holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from hilum.services.deadlines import within
from hilum.web.multipart import FileCollector, UploadedFile, boundary_of
from hilum.web.refusals import BadRequest, BodyIncomplete, BodyTooLarge, NotJson, TooManyUploads, UploadTimeout
from hilum.web.upload_limits import UploadLimits

_FREE_PIECES, _LEAST_PIECE = 1000, 512
"""A piece costs the event loop the same whether it has one byte or thousands: beyond some they must average 512."""


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
        loop, received, pieces, is_more = asyncio.get_running_loop(), 0, 0, True
        try:
            with within(self.limits.grace_s) as deadline:
                while is_more:
                    message = await request.receive()
                    if message["type"] == "http.disconnect":
                        raise BodyIncomplete("the connection or the body's framing broke before the body was whole")
                    chunk = message.get("body", b"")
                    received, pieces = received + len(chunk), pieces + 1
                    if pieces > _FREE_PIECES + received / _LEAST_PIECE:
                        raise BadRequest("the body comes in pieces too small to be worth reading; send larger ones")
                    is_more = message.get("more_body", False)
                    take(chunk, received)
                    # what came fast earns no more than the grace, or a body that is nearly whole could be held for long
                    earned = deadline.ends_at + len(chunk) / self.limits.bytes_per_s
                    deadline.ends_at = min(earned, loop.time() + self.limits.grace_s)
        except TimeoutError as error:
            slowest = self.limits.bytes_per_s
            raise UploadTimeout(f"a body must arrive at {slowest // 1000} kB/s or more", actual=received) from error


def _too_large(limit: int, size: int) -> BodyTooLarge:
    words = f"{limit // 1_000_000} MB" if limit >= 1_000_000 else f"{limit // 1000} kB"
    return BodyTooLarge(f"the upload is larger than {words}", limit=limit, actual=size)


def _declared_length(request: Request) -> int | None:
    declared = request.headers.get("content-length")
    return int(declared) if declared is not None and declared.isascii() and declared.isdigit() else None
