"""Refuses slices there is no core for, before anything else is done for them, so that refusing costs little. Pure ASGI.

Beyond saturation most requests are refused, and what a refusal costs is taken from the answers. So this guard stands
outside of all others, answers from parts made once, and sends the answer before the body has come.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time

from starlette.types import ASGIApp, Receive, Scope, Send

from hilum.errors import Overloaded
from hilum.services.deadlines import within
from hilum.services.identifiers import new_request_id
from hilum.services.prediction import PredictionService
from hilum.web.metrics import Instruments
from hilum.web.middleware import SECURITY_HEADERS
from hilum.web.problems import MEDIA_TYPE, problem_document

log = logging.getLogger("hilum.access")

_GUARDED = "/predict"
_OWN = {"instance", "actual"}
"""What a refusal tells that others of the same words do not."""

_TELL_S = 1.0
_DRAIN_S = 1.0
_DRAIN_BYTES = 25_000_000
"""A body that has not come so long after the answer, or is larger, is left unread, and the connection ends."""

_HEADERS = [
    (name.lower().encode(), value.encode())
    for name, value in (SECURITY_HEADERS | {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"}).items()
]


class AdmissionGuard:
    """Answers `POST /predict` with 503 where its slice would wait too long; everything else passes.

    It does not ask who is asking: to look at a key costs more than the refusal, and nothing is given away.
    """

    def __init__(
        self,
        app: ASGIApp,
        service: PredictionService,
        instruments: Instruments,
        allowed_origins: frozenset[str] = frozenset(),
    ) -> None:
        """Guards `app`.

        Args:
            app: answers what is let through.
            service: whose cores are to be free.
            instruments: count refusals as they count other answers.
            allowed_origins: whose pages may read a refusal.
        """
        self._app = app
        self._service = service
        self._origins = {origin.encode() for origin in allowed_origins}
        self._count = instruments.requests.labels("POST", _GUARDED, str(Overloaded.status)).inc
        self._observe = instruments.request_seconds.labels(_GUARDED).observe
        self._waiting = instruments.waiting.set
        self._documents: dict[str, str] = {}
        self._untold = 0
        self._is_telling = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses, or hands on."""
        if scope["type"] == "http" and scope["path"] == _GUARDED and scope["method"] == "POST":
            try:
                self._service.workers.check_room()
            except Overloaded as error:
                await self._refuse(error, scope, send)
                await _drain(scope, receive)
                return
            await self._app(scope, receive, send)
            self._waiting(self._service.workers.admitted)
            return
        await self._app(scope, receive, send)

    async def _refuse(self, error: Overloaded, scope: Scope, send: Send) -> None:
        started_at = time.perf_counter()
        request_id = new_request_id()
        body = self._document(error, request_id)
        headers = [
            *_HEADERS,
            (b"content-length", str(len(body)).encode()),
            (b"retry-after", str(error.retry_after).encode()),
            (b"x-request-id", request_id.encode()),
            *self._cors(scope),
        ]
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        seconds = time.perf_counter() - started_at
        self._count()
        self._observe(seconds)
        self._untold += 1
        if not self._is_telling:
            self._tell()

    def _tell(self) -> None:
        """Logs how many were refused: the first at once, then those of each second together.

        A line for each would make refusing dearer, and bury the log when it is needed most.
        """
        count, self._untold = self._untold, 0
        self._is_telling = count > 0
        if count:
            fields = {"method": "POST", "route": _GUARDED, "status": Overloaded.status, "code": Overloaded.code}
            log.warning("requests refused", extra={**fields, "count": count})
            asyncio.get_running_loop().call_later(_TELL_S, self._tell)

    def _document(self, error: Overloaded, request_id: str) -> bytes:
        """The problem document. What two refusals of the same words share is turned into JSON once."""
        shared = self._documents.get(error.detail)
        if shared is None:
            document = problem_document(error, request_id)
            shared = json.dumps({name: value for name, value in document.items() if name not in _OWN})[:-1]
            self._documents[error.detail] = shared
        return f'{shared}, "instance": "{request_id}", "actual": {error.actual!r}}}'.encode()

    def _cors(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        if not self._origins:
            return []
        origin = dict(scope["headers"]).get(b"origin", b"")
        allowed = [(b"access-control-allow-origin", origin)] if origin.lower() in self._origins else []
        return [*allowed, (b"vary", b"Origin")]


async def _drain(scope: Scope, receive: Receive) -> None:
    """Reads the body, so that the connection can be used again, and a client that sends before it reads can end."""
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    left = int(declared) if declared.isdigit() else _DRAIN_BYTES
    if left > _DRAIN_BYTES:
        return
    try:
        with within(_DRAIN_S):
            while left > 0:
                message = await receive()
                if not message.get("more_body", False):
                    return
                left -= len(message["body"])
    except TimeoutError:
        return
