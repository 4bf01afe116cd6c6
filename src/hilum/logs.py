"""Structured logs: one JSON object a line on standard error. Knows no request.

What a library's exception or warning says may quote the file it was handed, and so name a patient: of these the log
tells type and place only.
"""

from __future__ import annotations

import json
import logging
import logging.config
import sys
import threading
import time
import traceback
import warnings
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.util import Finalize
from types import TracebackType
from typing import Any, TextIO

_RAISED = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

_LONGEST_EVENT, _LONGEST_REASON, _LONGEST_TRACEBACK = 2000, 1000, 4000
"""As JSON writes them, in bytes: with the other fields a line has 8 kB at most."""

_GATHER_S, _MOST_KEPT = 0.1, 10_000
_FIELDS = (
    "request_id",
    "method",
    "route",
    "status",
    "code",
    "actor",
    "latency_ms",
    "model_version",
    "trace_id",
    "reason",
    "count",
)


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON, with the fields of `_FIELDS` it carries."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": _first(record.getMessage(), _LONGEST_EVENT),
        }
        told = record.__dict__
        line |= {name: told[name] for name in _FIELDS if name in told}
        if isinstance(line.get("reason"), str):
            line["reason"] = _first(line["reason"], _LONGEST_REASON)
        if record.exc_info:
            line["traceback"] = _first(self.formatException(record.exc_info)[::-1], _LONGEST_TRACEBACK)[::-1]
        return json.dumps(line)

    def formatException(self, ei: _RAISED) -> str:  # noqa: N802 - the name is the library's
        """The frames that led to an exception, and to those behind it, the first one first."""
        told: list[str] = []
        error, seen = ei[1], set[int]()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            told.insert(0, "".join(traceback.format_tb(error.__traceback__)) + _name_of(error))
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n\n".join(told)


def _first(text: str, longest: int) -> str:
    """What fits of it, from its beginning on; JSON writes some characters as twelve."""
    text = text[:longest]
    while len(json.dumps(text)) > longest:
        text = text[: len(text) * 3 // 4]
    return text


class GatheringHandler(logging.StreamHandler[TextIO]):
    """Writes lines many at once, a tenth of a second late, on a thread of its own.

    Each write hands the interpreter lock to another thread, and lines are sooner put together many at once.
    """

    def __init__(self, stream: TextIO) -> None:
        """Writes to `stream`; the thread begins with the first line."""
        super().__init__(stream)
        self._records: deque[logging.LogRecord] = deque()
        self._writing = threading.Lock()
        self._due = threading.Event()
        self._writer: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the record, and has it written soon; where nobody reads what was written, the caller waits at last."""
        self._records.append(record)
        if not self._due.is_set():
            self._due.set()
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="hilum-log", daemon=True)
                self._writer.start()
        elif len(self._records) >= _MOST_KEPT:
            self.flush()

    def flush(self) -> None:
        """Writes what was kept. What is logged meanwhile does not wait."""
        with self._writing:
            lines = []
            while self._records:
                lines.append(self.format(self._records.popleft()) + self.terminator)
            if lines:
                self.stream.write("".join(lines))
                self.stream.flush()

    def _write(self) -> None:
        while True:
            self._due.wait()
            time.sleep(_GATHER_S)
            self._due.clear()  # what comes from now on is due again
            with suppress(OSError, ValueError):  # nobody can be told that standard error has gone
                self.flush()


def configure(level: str) -> None:
    """Sets the process's logs up, and has it log what Python would write to standard error as it is.

    What no line tells is not looked up for each (the logging HOWTO, "Optimization").
    """
    logging.config.dictConfig(log_config(level))
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    Finalize(None, logging.shutdown, exitpriority=0)  # a process that multiprocessing started runs no atexit
    log = logging.getLogger("hilum")

    def tell_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            log.critical("the process ends", exc_info=(kind, error, trace))

    def tell_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            log.error("a thread ends", exc_info=args.exc_value)

    def tell_warning(_: Warning | str, category: type[Warning], *place: Any) -> None:
        log.warning("a library warns", extra={"reason": f"{category.__name__} at {place[0]}:{place[1]}"})

    sys.excepthook, threading.excepthook = tell_end, tell_thread
    warnings.showwarning = tell_warning  # type: ignore[assignment]  # it is called with positions only


def _name_of(error: BaseException) -> str:
    """The type; and the words where they are hilum's or the system's."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if kind.__module__.partition(".")[0] == "hilum":
        return f"{name}: {error}"
    return f"{name}: {error.strerror}" if isinstance(error, OSError) else name


def log_config(level: str) -> dict[str, Any]:
    """A `logging.config` dictionary for hilum and for the server it runs on."""
    to_console = {"handlers": ["console"], "propagate": False}
    console = {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"console": console, "requests": console | {"class": "hilum.logs.GatheringHandler"}},
        "loggers": {
            "hilum": to_console | {"level": level.upper()},
            "hilum.access": {"handlers": ["requests"], "propagate": False},
            "_granian": to_console | {"level": "WARNING"},
            "granian.access": to_console | {"level": "WARNING"},
        },
        "root": {"handlers": ["console"], "level": "WARNING"},
    }
