"""Signing in at the dashboard with a key, and out again."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from hilum.web.auth import (
    SECURE_SESSION_COOKIE,
    SESSION_COOKIE,
    GuardedRoute,
    caller_of,
    is_secure,
    place_of,
    session_of,
)
from hilum.web.bodies import check_members
from hilum.web.dashboard import templates
from hilum.web.dependencies import ContextDep
from hilum.web.refusals import RequestInvalid
from hilum.web.routes.openapi import json_body, problems
from hilum.web.schemas import SignInRequest

router = APIRouter(route_class=GuardedRoute)


@router.get("/sign-in", response_class=HTMLResponse, include_in_schema=False)
async def sign_in_page(request: Request) -> Response:
    """The page that asks for a key; whoever needs none is sent on."""
    if caller_of(request) is not None:
        return RedirectResponse("/", 303)
    return templates.TemplateResponse(request, "sign-in.html", {"here": "sign-in"})


@router.post(
    "/sessions",
    tags=["access"],
    status_code=204,
    response_class=Response,
    openapi_extra=json_body(SignInRequest),
    responses=problems(400, 401, 403, 408, 413, 415, 422, 429, 503),
)
async def sign_in(request: Request, context: ContextDep) -> Response:
    """Opens a session: the answer sets a cookie that stands for the key in this browser until it ends."""
    body = await context.uploads.read_json(request)
    try:
        key = SignInRequest.model_validate_json(body).key
    except ValidationError as error:  # its words would repeat the key
        raise RequestInvalid('body: send {"key": "…"}') from error
    check_members(body)
    response = Response(status_code=204)
    if context.access is None:
        return response
    session = await context.access.sign_in(key.strip(), place_of(request))
    secure = is_secure(request)
    response.set_cookie(
        SECURE_SESSION_COOKIE if secure else SESSION_COOKIE,
        session.token,
        max_age=int(session.lasts.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )
    return response


@router.delete("/sessions/current", tags=["access"], status_code=204, response_class=Response, responses=problems(503))
async def sign_out(request: Request, context: ContextDep) -> Response:
    """Ends the session of this browser; without one nothing happens."""
    token, caller = session_of(request), caller_of(request)
    if context.access is not None and token is not None and caller is not None:
        await context.access.sign_out(token, caller)
    response = Response(status_code=204)
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="strict")
    response.delete_cookie(SECURE_SESSION_COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    return response
