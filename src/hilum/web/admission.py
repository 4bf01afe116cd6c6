"""Refuses slices there is no core for before their bytes are read, so that refusing costs little. Pure ASGI."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from hilum.errors import Overloaded
from hilum.services.prediction import PredictionService
from hilum.web.problems import problem_response

_GUARDED = "/predict"
_DRAIN_S = 0.02
"""A body that has not come by then is left unread, and the connection ends with the answer."""


class AdmissionGuard:
    """Answers `POST /predict` with 503 where its slice would wait too long; everything else passes."""

    def __init__(self, app: ASGIApp, service: PredictionService) -> None:
        """Guards `app`."""
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses, or hands on."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != _GUARDED:
            await self._app(scope, receive, send)
            return
        try:
            self._service.workers.check_room()
        except Overloaded as error:
            scope["hilum.code"] = error.code
            await _drain(receive)
            await problem_response(error, scope.get("hilum.request_id", ""))(scope, receive, send)
            return
        await self._app(scope, receive, send)


async def _drain(receive: Receive) -> None:
    """Reads what has come of a body: a client whose bytes nobody takes may never see the answer."""
    try:
        async with asyncio.timeout(_DRAIN_S):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        return
