"""What reaches the log of a process, and what of it is left out."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
import time

import pytest

from canaries import CANARY
from hilum import logs
from hilum.errors import ImageCorrupt
from hilum.logs import GatheringHandler, JsonFormatter

_PROGRAM = f"""
import threading, warnings
from hilum.logs import configure
configure("info")
warnings.warn("{CANARY} is no date")
thread = threading.Thread(target=lambda: int("{CANARY}"))
thread.start()
thread.join()
{{}}["{CANARY}"]
"""


def _told(error: BaseException) -> str:
    record = logging.LogRecord("hilum", logging.ERROR, "f", 1, "it failed", None, (type(error), error, None))
    return str(json.loads(JsonFormatter().format(record))["traceback"])


def _raised(*errors: BaseException) -> BaseException:
    """The last of `errors`, each raised because of the one before it."""
    cause: BaseException | None = None
    for error in errors:
        try:
            raise error from cause  # noqa: TRY301 - its frame is to be told
        except BaseException as raised:  # noqa: BLE001 - whatever it was given
            cause = raised
    assert cause is not None
    return cause


def test_of_a_librarys_exception_type_and_place_are_told() -> None:
    told = _told(_raised(ValueError(f"could not convert string to float: {CANARY}")))
    assert told.endswith("\nValueError")
    assert "raise error from cause" in told
    assert CANARY not in told


def test_what_hilum_and_the_system_say_is_told() -> None:
    assert _told(ImageCorrupt("the rows end early")).endswith("ImageCorrupt: the rows end early")
    assert _told(OSError(28, "No space left on device", CANARY)) == "OSError: No space left on device"


def test_exceptions_behind_an_exception_are_told_first() -> None:
    told = _told(_raised(KeyError(CANARY), UnicodeDecodeError("ascii", CANARY.encode(), 0, 1, CANARY), TypeError()))
    assert [line for line in told.splitlines() if line and not line.startswith(" ")] == [
        "KeyError", "UnicodeDecodeError", "TypeError",
    ]  # fmt: skip
    error = ValueError()
    error.__cause__ = error
    assert _told(error) == "ValueError"


def test_what_python_would_write_is_logged_without_its_words() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["a library warns", "a thread ends", "the process ends"]
    assert [line["level"] for line in lines] == ["warning", "error", "critical"]
    assert lines[0]["reason"].startswith("UserWarning at <string>:5")
    assert lines[1]["traceback"].endswith("ValueError")
    assert lines[2]["traceback"].endswith("KeyError")
    assert done.returncode == 1
    assert CANARY not in done.stderr


def _gathering(monkeypatch: pytest.MonkeyPatch, gather_s: float) -> tuple[logging.Logger, io.StringIO]:
    monkeypatch.setattr(logs, "_GATHER_S", gather_s)
    stream = io.StringIO()
    handler = GatheringHandler(stream)
    log = logging.Logger("gathering", logging.INFO)
    log.addHandler(handler)
    return log, stream


def test_lines_of_requests_are_written_together_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    log, stream = _gathering(monkeypatch, 0.05)
    for number in range(3):
        log.info("request %d", number)
    assert stream.getvalue() == ""
    deadline = time.monotonic() + 10
    while not stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert stream.getvalue() == "request 0\nrequest 1\nrequest 2\n"
    log.info("and one more")  # the next begins another wait
    while "more" not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert stream.getvalue().endswith("and one more\n")


class _Stuck(io.StringIO):
    """A stream that nobody reads until `is_read` is set."""

    is_read = threading.Event()

    def write(self, text: str) -> int:
        self.is_read.wait(30)
        return super().write(text)


def test_a_log_that_nobody_reads_holds_one_thread_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_GATHER_S", 0.01)
    stream = _Stuck()
    handler, log = GatheringHandler(stream), logging.Logger("stuck", logging.INFO)
    log.addHandler(handler)
    before = threading.active_count()
    for number in range(20):
        log.info("request %d", number)
        time.sleep(0.02)
    assert threading.active_count() <= before + 1
    _Stuck.is_read.set()
    deadline = time.monotonic() + 10
    while stream.getvalue().count("\n") < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert stream.getvalue() == "".join(f"request {number}\n" for number in range(20))


def test_more_than_may_wait_is_written_by_who_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_MOST_KEPT", 3)
    log, stream = _gathering(monkeypatch, 60)
    for number in range(4):
        log.info("request %d", number)
    assert stream.getvalue() == "request 0\nrequest 1\nrequest 2\n"


def test_what_waits_is_written_when_the_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    log, stream = _gathering(monkeypatch, 60)
    log.info("the last request")
    log.handlers[0].flush()
    assert stream.getvalue() == "the last request\n"


@pytest.mark.parametrize("text", ["a" * 100_000, "\U0001f600" * 100_000, '"\x1b\n' * 50_000])
def test_no_line_is_longer_than_eight_kilobytes(text: str) -> None:
    """H95."""
    try:
        int(text)
    except ValueError:
        record = logging.LogRecord("hilum", logging.ERROR, __file__, 1, text, None, sys.exc_info())
    record.reason = text
    line = JsonFormatter().format(record)
    assert len(line) <= 8192
    assert line.isascii()
    assert text.startswith(json.loads(line)["event"])
    assert "ValueError" in json.loads(line)["traceback"]
