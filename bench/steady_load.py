"""Clients that ask for predictions at a steady pace and remember every answer. Too slow to measure throughput with."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from bench.client import BOUNDARY, multipart


@dataclass(frozen=True)
class Answer:
    """What one request got.

    Attributes:
        sent_at: by the monotonic clock.
        status: 0 where the connection broke.
        seconds: until the whole answer, or the break.
        prediction_id, model_version, is_stored: of an answer 200.
    """

    sent_at: float
    status: int
    seconds: float
    prediction_id: str = ""
    model_version: str = ""
    is_stored: bool = False


class SteadyLoad:
    """Client threads, as a context manager; each sends a request every `1 / per_s` seconds, or as fast as it can."""

    def __init__(
        self, port: int, files: Sequence[tuple[str, bytes]], *, key: str = "", clients: int = 4, per_s: float = 5.0
    ) -> None:
        """Prepares to ask the server on `port` of loopback."""
        self.answers: list[Answer] = []
        self._port = port
        self._bodies = [multipart(data, name) for name, data in files]
        self._next = itertools.count()
        self._headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        self._headers |= {"Authorization": f"Bearer {key}"} if key else {}
        self._pause_s = 1 / per_s
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask_on) for _ in range(clients)]

    def __enter__(self) -> SteadyLoad:
        """Starts the clients."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lets each client have its last answer."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def between(self, begin: float, end: float) -> list[Answer]:
        """Answers to what was sent in that time."""
        return [answer for answer in list(self.answers) if begin <= answer.sent_at < end]

    def _ask_on(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        due = time.monotonic()
        while not self._stop.is_set():
            self.answers.append(self._ask(connection))
            due = max(due + self._pause_s, time.monotonic())
            self._stop.wait(due - time.monotonic())
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> Answer:
        body = self._bodies[next(self._next) % len(self._bodies)]
        sent_at = time.monotonic()
        try:
            connection.request("POST", "/predict", body, self._headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return Answer(sent_at, 0, time.monotonic() - sent_at)
        seconds = time.monotonic() - sent_at
        if response.status != 200:
            return Answer(sent_at, response.status, seconds)
        told = json.loads(content)
        return Answer(sent_at, 200, seconds, told["id"], told["model_version"], bool(told.get("stored")))
