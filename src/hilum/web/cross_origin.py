"""Tells browsers which other sites' pages may call the API (CORS). A refusal is a problem document. Knows no key."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from hilum.web.problems import problem_response
from hilum.web.refusals import CrossSite


class CrossOrigin(CORSMiddleware):
    """The middleware of Starlette, which answers a browser that asks beforehand in plain text where it refuses."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a browser that asks beforehand, and adds to other answers what lets the page read them."""
        if scope["type"] == "http" and self._is_refused(scope["method"], Headers(scope=scope)):
            refusal = CrossSite("pages of this origin may not call the API, or not in this way")
            scope["hilum.code"] = refusal.code
            await problem_response(refusal, scope.get("hilum.request_id", ""))(scope, receive, send)
            return
        await super().__call__(scope, receive, send)

    def _is_refused(self, method: str, headers: Headers) -> bool:
        is_asking = method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers
        return is_asking and self.preflight_response(headers).status_code != 200
