"""What happens around every request: its id, host check, headers, log line and counters. Pure ASGI, for speed."""

from __future__ import annotations

import logging
import time
from typing import cast

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hilum.services.identifiers import new_request_id
from hilum.web.metrics import Instruments
from hilum.web.problems import answer_to, problem_response
from hilum.web.refusals import BadRequest, HostNotAllowed, InternalError, RequestRefused

log = logging.getLogger("hilum.access")

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

_DEFAULT_HEADERS = [
    (name.lower().encode(), value.encode())
    for name, value in (SECURITY_HEADERS | {"Cache-Control": "no-store"}).items()
]
"""As they are sent, of every answer that does not say otherwise itself."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})

_SENDING = frozenset({"POST", "PUT", "PATCH"})
_OF_THE_CALLER = frozenset({401, 403})
"""What is refused of a page that asks, or of a caller who may not, is no input."""


class RequestGuard:
    """Refuses requests for other hosts, and those that two servers could read differently.

    The host check keeps a web page from reaching a local server by DNS rebinding; two Host headers are how requests
    are smuggled past a proxy (RFC 9112, section 3.2). The server itself sees to a body that is framed twice.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: frozenset[str]) -> None:
        """Guards `app`; an empty set allows every name."""
        self._app = app
        self._allowed = allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 400 to what it refuses."""
        refusal = self._refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        scope["hilum.code"] = refusal.code
        await problem_response(refusal, scope.get("hilum.request_id", ""))(scope, receive, send)

    def _refusal(self, headers: Headers) -> RequestRefused | None:
        hosts = headers.getlist("host")
        if len(hosts) > 1:
            return BadRequest("send one Host header")
        if self._allowed and _name_of(hosts[0] if hosts else "") not in self._allowed:
            return HostNotAllowed("this server answers to localhost and to the names its operator allowed")
        return None


class RequestRecorder:
    """Gives each request an id, the answer its headers, and the log and the counters one entry."""

    def __init__(self, app: ASGIApp, instruments: Instruments) -> None:
        """Records the requests of `app` in `instruments`."""
        self._app = app
        self._instruments = instruments

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, and turns an unforeseen error into a bland 500 that is logged once."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["hilum.request_id"] = new_request_id()
        started_at = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message.get("headers", ())
                named = {name for name, _ in headers}
                defaults = [header for header in _DEFAULT_HEADERS if header[0] not in named]
                message = {**message, "headers": [*headers, *defaults, (b"x-request-id", request_id.encode())]}
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            log.exception("the request failed", extra={"request_id": request_id, "route": route_of(scope)})
            has_begun = status != 0
            status, scope["hilum.code"] = 500, InternalError.code
            if has_begun:
                raise
            error = InternalError("the server failed; its log says how, under this request's id")
            await answer_to(Request(scope), error)(scope, receive, send_with_headers)
        finally:
            self._record(scope, request_id, status, time.perf_counter() - started_at)

    def _record(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = route_of(scope)
        method = scope["method"] if scope["method"] in METHODS else "other"
        code = scope.get("hilum.code")
        self._instruments.requests.labels(method, route, str(status)).inc()
        self._instruments.request_seconds.labels(route).observe(seconds)
        if code is not None and 400 <= status < 500 and method in _SENDING and status not in _OF_THE_CALLER:
            self._instruments.rejected.labels(code).inc()
        fields = {
            "request_id": request_id,
            "method": method,
            "route": route,
            "status": status,
            "code": code,
            "latency_ms": round(seconds * 1000, 2),
            "actor": getattr(scope.get("hilum.caller"), "actor", None),
            "model_version": scope.get("hilum.model_version"),
            "trace_id": scope.get("hilum.trace_id"),
        }
        log.info("request", extra={name: value for name, value in fields.items() if value is not None})


def route_of(scope: Scope) -> str:
    """The template of the route that answered; `unmatched` where none did."""
    path = getattr(scope.get("route"), "path", None) or scope.get("hilum.template")
    return cast("str", path) if path else "unmatched"


def _name_of(host: str) -> str:
    """The Host header's name without its port."""
    name = host.lower()
    return name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]
