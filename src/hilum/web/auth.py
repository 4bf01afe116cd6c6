"""Lets requests in by key or session, before anything of them is read, as `access_table` says. Pure ASGI."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi.routing import APIRoute, iter_route_contexts
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from hilum.errors import AccessRefused, CredentialsMissing, HilumError, KeyInvalid
from hilum.services.access import OPEN_CALLER, Access, Caller
from hilum.services.keys import holds_key
from hilum.web.access_table import PAGES, Need, need_of
from hilum.web.cross_site import is_cross_site
from hilum.web.negotiation import preferred
from hilum.web.problems import answer_to
from hilum.web.refusals import CrossSite, InternalError, KeyInQuery

SESSION_COOKIE, SECURE_SESSION_COOKIE = "hilum-session", "__Host-hilum-session"
"""Browsers take the second from an encrypted connection only, and from no other host (RFC 6265bis, section 4.1.3)."""

SIGN_IN = "/sign-in"


class AccessGuard:
    """Asks every request who it is from. Without `access` everyone is let in, and only other sites' pages are not."""

    def __init__(self, app: ASGIApp, access: Access | None, allowed_origins: frozenset[str] = frozenset()) -> None:
        """Guards `app`."""
        self._app = app
        self._access = access
        self._origins = allowed_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with a problem, or the way to the sign-in page, to what it does not let in."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        need = need_of(scope["method"], scope["path"])
        scope["hilum.template"] = need.template
        try:
            scope["hilum.caller"] = await self._admitted(connection, need)
        except HilumError as error:
            if isinstance(error, CredentialsMissing) and _is_page(scope, connection.headers):
                await RedirectResponse(SIGN_IN, 303)(scope, receive, send)
                return
            await answer_to(Request(scope), error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admitted(self, connection: HTTPConnection, need: Need) -> Caller | None:
        if holds_key(connection.scope["query_string"].decode("latin-1")):
            raise KeyInQuery("an API key stands in the address, where logs and histories keep it")
        caller, refusal = await self._caller(connection)
        if not (caller and "authorization" in connection.headers):
            self._check_site(connection, has_cookie=caller is not None and caller.is_session)
        if need.role is None:
            return caller
        if caller is None:
            raise refusal or CredentialsMissing("send an API key as `Authorization: Bearer KEY`, or sign in")
        if self._access is not None:
            await self._access.check_role(caller, need.role, place_of(connection), need.template or "")
            self._access.count(caller)
        return caller

    async def _caller(self, connection: HTTPConnection) -> tuple[Caller | None, AccessRefused | None]:
        """Who asks, or why that is not known."""
        if self._access is None:
            return OPEN_CALLER, None
        try:
            authorization = connection.headers.get("authorization")
            if authorization is not None:
                return await self._access.caller_of_key(_bearer(authorization), place_of(connection)), None
            cookie = session_of(connection)
            return (await self._access.caller_of_session(cookie) if cookie else None), None
        except AccessRefused as error:
            return None, error

    def _check_site(self, connection: HTTPConnection, *, has_cookie: bool) -> None:
        method = connection.scope["method"]
        if is_cross_site(method, connection.headers, allowed=self._origins, has_cookie=has_cookie):
            raise CrossSite("a page of another site made this request")


class GuardedRoute(APIRoute):
    """A route that answers only what the guard let in as its own: a last line behind the guard."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or raises `InternalError` where the guard asked for the role of another route."""
        is_taken = not self.methods or scope["method"] in self.methods
        if is_taken and scope.get("hilum.template") != self.path:
            raise InternalError("no role is declared for this address")
        await super().handle(scope, receive, send)


def check_guarded(routes: Iterable[BaseRoute]) -> None:
    """Returns where every route of an application is a `GuardedRoute`; what is mounted has none.

    Raises:
        RuntimeError: one is not; the application is then not made.
    """
    found = iter_route_contexts(list(routes))
    if others := [one.path for one in found if not isinstance(one.original_route, GuardedRoute | Mount)]:
        raise RuntimeError(f"make the router of {others} with `route_class=GuardedRoute`")


def caller_of(request: Request) -> Caller | None:
    """Who is asking; None for a stranger at a public address."""
    caller: Caller | None = request.scope.get("hilum.caller")
    return caller


def actor_of(request: Request) -> str:
    """Who is asking, as the audit log names them."""
    caller = caller_of(request)
    return caller.actor if caller is not None else "unknown"


def session_of(connection: HTTPConnection) -> str | None:
    """The session's cookie."""
    return connection.cookies.get(SECURE_SESSION_COOKIE if is_secure(connection) else SESSION_COOKIE)


def place_of(connection: HTTPConnection) -> str:
    """Where the request comes from; behind a proxy that is the proxy."""
    return connection.client.host if connection.client is not None else "unknown"


def is_secure(connection: HTTPConnection) -> bool:
    """Whether the browser's connection is encrypted, here or up to a proxy that says so.

    A client that says so itself, falsely, only gets a cookie that its own browser refuses.
    """
    forwarded = connection.headers.get("x-forwarded-proto", "").split(",")[0].strip().lower()
    return connection.url.scheme == "https" or forwarded == "https"


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise KeyInvalid("send the API key as `Authorization: Bearer KEY`")
    return token.strip()


def _is_page(scope: Scope, headers: Headers) -> bool:
    accept = headers.get("accept")
    wants_page = accept is not None and preferred(accept, ("application/json", "text/html")) == "text/html"
    return scope["method"] == "GET" and scope["path"] in PAGES and wants_page
