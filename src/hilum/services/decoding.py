"""Decodes what needs a codec in processes that can be lost, and the rest where it is. Knows no model and no HTTP."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Literal, cast

from hilum import errors
from hilum.errors import DecodeTimeout, ImageCorrupt, InputRejected, Overloaded, UnsupportedMediaType
from hilum.imaging.decode import CtSlice, Limits, decode
from hilum.imaging.decoding_process import READY, read_frame, request_frame, slice_of, write_frame
from hilum.imaging.dicom_elements import is_compressed
from hilum.imaging.formats import recognise

Isolation = Literal["codecs", "all", "none"]

WALL_SECONDS = 5.0
_START_SECONDS = 30.0
_ATTEMPTS = 2
"""A process that is ended from outside costs no answer: the file is handed to another one."""

_COMMAND = ("-m", "hilum.imaging.decoding_process")
_INHERITED = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
"""All of the environment that a decoding process gets to see: it needs no secret."""

log = logging.getLogger(__name__)


class _Child:
    """One decoding process. Used by one thread at a time."""

    def __init__(self) -> None:
        """Starts it and waits until it is ready.

        Raises:
            Overloaded: it did not get ready in time.
        """
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, *_COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        assert self._process.stdin is not None  # noqa: S101 - narrows
        assert self._process.stdout is not None  # noqa: S101
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        with _Watchdog(self._process, _START_SECONDS):
            is_ready = self._stdout.read(1) == READY
        if not is_ready:
            self.end()
            raise Overloaded("a process that decodes images could not be started; try again in a moment")

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def decode(self, data: bytes, name: str | None, limits: Limits, *, with_pixel_file: bool) -> CtSlice | None:
        """Hands a file over and waits; None where the process ended meanwhile.

        Raises:
            InputRejected: as `decode`; `DecodeTimeout` where it took too long.
        """
        reply = None
        with _Watchdog(self._process, WALL_SECONDS) as watchdog, suppress(OSError, ValueError):
            write_frame(self._stdin, request_frame(name, limits, with_pixel_file=with_pixel_file), data)
            reply = read_frame(self._stdout)
        if reply is not None and not watchdog.has_bitten:
            head, pixels, copy = reply
            if "code" in head:
                raise _refusal(head)
            with suppress(ValueError, TypeError, KeyError):
                return slice_of(head, pixels, copy, limits)
        self.end()
        if watchdog.has_bitten or self._process.returncode in {-24, 152}:  # SIGXCPU
            raise DecodeTimeout("The image takes too long to decode.", limit=WALL_SECONDS)
        return None

    @property
    def is_alive(self) -> bool:
        """Whether it can take a file."""
        return self._process.poll() is None

    def end(self) -> None:
        """Ends the process and takes leave of it."""
        self._process.kill()
        for pipe in (self._stdin, self._stdout):
            with suppress(OSError):
                pipe.close()
        self._process.wait()


class _Watchdog:
    """Kills a process that is not done in time.

    Attributes:
        has_bitten: it was killed.
    """

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.has_bitten = False
        self._process = process
        self._timer = threading.Timer(seconds, self._bite)
        self._timer.daemon = True

    def __enter__(self) -> _Watchdog:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _bite(self) -> None:
        self.has_bitten = True
        self._process.kill()


class Decoders:
    """Decodes for many threads. Processes are started when they are first needed, one for each thread at most."""

    def __init__(self, isolation: Isolation = "codecs") -> None:
        """Takes what is decoded in a process of its own.

        Args:
            isolation: `codecs`: TIFF, WebP and compressed DICOM; `all`: everything; `none`: nothing.
        """
        self.isolation = isolation
        self._idle: list[_Child] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def decode(
        self, data: bytes, *, name: str | None = None, limits: Limits | None = None, with_pixel_file: bool = False
    ) -> CtSlice:
        """Decodes one image or DICOM slice, as `hilum.imaging.decode.decode` does.

        Raises:
            InputRejected: a leaf that says what is wrong with the bytes.
            Overloaded: no process could be started.
        """
        limits = limits or Limits()
        if not self._is_isolated(data, limits):
            return decode(data, name=name, limits=limits, with_pixel_file=with_pixel_file)
        for _ in range(_ATTEMPTS):
            child = self._take()
            try:
                found = child.decode(data, name, limits, with_pixel_file=with_pixel_file)
            finally:
                self._give_back(child)
            if found is not None:
                return found
            log.warning("a decoding process ended; the file is handed to another")
        raise ImageCorrupt("The image ends the process that decodes it.")

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the processes that wait for a file."""
        with self._lock:
            return tuple(child.pid for child in self._idle)

    def close(self) -> None:
        """Ends the processes."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def _is_isolated(self, data: bytes, limits: Limits) -> bool:
        if self.isolation == "none" or not data or len(data) > limits.file_bytes:
            return False
        try:
            file_format = recognise(data)
        except UnsupportedMediaType:
            return False
        if self.isolation == "all" or file_format in {"tiff", "webp"}:
            return True
        return file_format == "dicom" and is_compressed(data)

    def _take(self) -> _Child:
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle else None
            if child is None:
                return _Child()
            if child.is_alive:
                return child
            child.end()

    def _give_back(self, child: _Child) -> None:
        with self._lock:
            if not self._is_closed and child.is_alive:
                self._idle.append(child)
                return
        child.end()


def _leaves(root: type[InputRejected]) -> dict[str, type[InputRejected]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found |= _leaves(child)
    return found


def _refusal(head: dict[str, object]) -> InputRejected:
    kind = _leaves(errors.InputRejected).get(str(head.get("code")), ImageCorrupt)
    limit, actual = (cast("float | None", head.get(name)) for name in ("limit", "actual"))
    return kind(str(head.get("detail"))[:500], limit=limit, actual=actual)
