"""Structured logs: one JSON object a line on standard error. Knows no request."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

_LONGEST_LINE = 8000
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
)


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON, with the fields of `_FIELDS` it carries."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage()[:_LONGEST_LINE],
        }
        line |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)[-_LONGEST_LINE:]
        return json.dumps(line)


def log_config(level: str) -> dict[str, Any]:
    """A `logging.config` dictionary for hilum and for the server it runs on."""
    to_console = {"handlers": ["console"], "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
        "loggers": {
            "hilum": to_console | {"level": level.upper()},
            "_granian": to_console | {"level": "WARNING"},
            "granian.access": to_console | {"level": "WARNING"},
        },
        "root": {"handlers": ["console"], "level": "WARNING"},
    }
