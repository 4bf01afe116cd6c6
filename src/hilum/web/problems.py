"""Errors as RFC 9457 problem documents, and what each problem type means. Knows no service."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from hilum import errors
from hilum.errors import HilumError
from hilum.web import refusals
from hilum.web.access_table import ACCESS
from hilum.web.dashboard import is_navigation, problem_page
from hilum.web.remedies import REMEDIES

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_LONGEST_DETAIL = 500

_SENT_BRANCHES = (
    errors.InputRejected,
    errors.BundleInvalid,
    errors.ServiceRefused,
    errors.RegistryRefused,
    errors.AccessRefused,
    refusals.RequestRefused,
)
"""The parts of the error tree a request can meet; the others belong to the command line."""

_ABSTRACT = {
    errors.InputRejected,
    errors.ServiceRefused,
    errors.RegistryRefused,
    errors.AccessRefused,
    refusals.RequestRefused,
}

_BY_STATUS: dict[int, type[HilumError]] = {
    400: refusals.BadRequest,
    404: refusals.NotFound,
    405: refusals.MethodNotAllowed,
    413: refusals.BodyTooLarge,
    422: refusals.RequestInvalid,
}


@dataclass(frozen=True)
class ProblemType:
    """What `GET /problems/{slug}` says of a kind of problem."""

    slug: str
    title: str
    status: int
    meaning: str
    remedy: str


def _descendants(root: type[HilumError]) -> Iterator[type[HilumError]]:
    yield root
    for child in root.__subclasses__():
        yield from _descendants(child)


def sent_errors() -> dict[str, type[HilumError]]:
    """Every error an answer can carry, by slug."""
    found = (error for branch in _SENT_BRANCHES for error in _descendants(branch))
    return {error.code: error for error in found if error not in _ABSTRACT}


def problem_types() -> dict[str, ProblemType]:
    """Every documented problem type, by slug."""
    sent = sent_errors()
    return {
        slug: ProblemType(
            slug, sent[slug].title, sent[slug].status, (sent[slug].__doc__ or "").split("\n", 1)[0], REMEDIES[slug]
        )
        for slug in sorted(REMEDIES)
    }


def printable(text: str, longest: int = _LONGEST_DETAIL) -> str:
    """Escapes control and format characters, which could forge a log line or reverse text, and caps the length."""
    safe = text[: 2 * longest]
    if not safe.isprintable():  # of neither a control, format nor separator category, but the space
        safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in safe)
    return safe if len(safe) <= longest else safe[: longest - 1] + "…"


def problem_response(error: HilumError, request_id: str, headers: dict[str, str] | None = None) -> Response:
    """The answer that carries the problem document for `error`."""
    headers = dict(headers or {})
    retry_after: int | None = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, errors.RateLimited) and error.limit:
        headers |= _quota_headers(error.limit, error.retry_after)
    challenge: str | None = getattr(error, "challenge", None)
    if challenge is not None:
        headers["WWW-Authenticate"] = challenge
    return JSONResponse(problem_document(error, request_id), error.status, headers, MEDIA_TYPE)


def answer_to(request: Request, error: HilumError, headers: dict[str, str] | None = None) -> Response:
    """What `request` is told of `error`: a browser that asks for a page gets one, everyone else the document."""
    request.scope["hilum.code"] = error.code
    if request.method not in {"GET", "HEAD"}:
        return problem_response(error, request_id_of(request), headers)
    answer = problem_response(error, request_id_of(request), {**(headers or {}), "Vary": "Accept"})
    if not is_navigation(request):
        return answer
    kept = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
    return problem_page(request, problem_document(error, request_id_of(request)), REMEDIES[error.code], kept)


def _quota_headers(per_minute: float, wait_s: int) -> dict[str, str]:
    """The fields of draft-ietf-httpapi-ratelimit-headers-10: what a key may, and when there is something left of it."""
    return {
        "RateLimit-Policy": f'"requests";q={per_minute:.0f};w=60',
        "RateLimit": f'"requests";r=0;t={wait_s}',
    }


def problem_document(error: HilumError, request_id: str) -> dict[str, Any]:
    """What is told of `error`, without the members that do not apply."""
    document = {
        "type": f"/problems/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": printable(error.detail),
        "instance": request_id,
        "code": error.code,
        "limit": error.limit,
        "actual": error.actual,
        "retry_after": getattr(error, "retry_after", None),
        "reasons": getattr(error, "reasons", None),
    }
    return {name: value for name, value in document.items() if value is not None}


def install_problem_handlers(app: FastAPI) -> None:
    """Makes every error the routes raise, FastAPI's own included, a problem document."""
    app.add_exception_handler(HilumError, _on_hilum_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)


def request_id_of(request: Request) -> str:
    """The id the middleware gave this request."""
    return str(request.scope.get("hilum.request_id", ""))


async def _on_hilum_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HilumError):
        raise error
    if error.code not in sent_errors():
        log.error("an error without a problem type reached the web", exc_info=error)
        return answer_to(
            request, refusals.InternalError("the server failed; its log says how, under this request's id")
        )
    return answer_to(request, error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    kind = _BY_STATUS.get(error.status_code, refusals.BadRequest)
    headers = dict(error.headers or {})
    if kind is refusals.MethodNotAllowed:
        if methods := ACCESS.get(request.scope.get("hilum.template", "")):  # the router names one route's only
            headers["Allow"] = ", ".join(methods)
        detail = f"this address answers to {headers.get('Allow', 'other methods')} only"
    elif kind is refusals.NotFound:
        detail = "nothing answers at this address; see /docs"
    else:
        detail = HTTPStatus(error.status_code).phrase
    return answer_to(request, kind(detail), headers)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return answer_to(request, refusals.RequestInvalid(f"{printable(place, 64)}: {printable(first['msg'], 200)}"))
