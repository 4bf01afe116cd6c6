"""What people read: the API's documentation, problem types and synthetic samples."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from hilum.services.samples import SAMPLE_SEEDS, sample_png
from hilum.web.auth import GuardedRoute
from hilum.web.dashboard import shown, templates
from hilum.web.negotiation import preferred
from hilum.web.problems import problem_types
from hilum.web.refusals import NotFound
from hilum.web.routes.openapi import also_as, problems
from hilum.web.schemas import ProblemTypeAnswer

router = APIRouter(route_class=GuardedRoute)


@router.get("/docs", response_class=HTMLResponse, include_in_schema=False)
async def docs(request: Request) -> Response:
    """The API's documentation, without anything from another origin."""
    return templates.TemplateResponse(request, "docs.html", shown(request, "docs"))


@router.api_route("/openapi.json", methods=["GET", "HEAD"], include_in_schema=False)
def describe_api(request: Request) -> Response:
    """The API in OpenAPI. On a thread, since FastAPI's own route makes it on the event loop and holds up everyone."""
    return Response(request.app.state.description(), media_type="application/json")


@router.get("/problems", tags=["problems"])
async def list_problems() -> list[ProblemTypeAnswer]:
    """Lists every problem type an answer can carry."""
    return [ProblemTypeAnswer(**asdict(kind)) for kind in problem_types().values()]


@router.get(
    "/problems/{slug}",
    tags=["problems"],
    response_model=ProblemTypeAnswer,
    responses=also_as("text/html") | problems(404),
)
async def describe_problem(slug: str, request: Request) -> Response:
    """Says what a problem type means and what to do about it."""
    kind = problem_types().get(slug)
    if kind is None:
        raise NotFound("there is no such problem type; GET /problems lists them")
    if preferred(request.headers.get("accept"), ("application/json", "text/html")) == "text/html":
        return templates.TemplateResponse(request, "problem.html", shown(request, "docs") | {"kind": kind})
    return Response(ProblemTypeAnswer(**asdict(kind)).model_dump_json(), media_type="application/json")


@router.get(
    "/samples/{number}.png",
    tags=["predictions"],
    response_class=Response,
    responses=also_as("image/png") | problems(404),
)
def sample(number: int) -> Response:
    """Draws a synthetic slice to try the model with; it shows no person."""
    if number not in SAMPLE_SEEDS:
        raise NotFound(f"there are samples 1 to {len(SAMPLE_SEEDS)}")
    return Response(sample_png(number), media_type="image/png", headers={"Cache-Control": "public, max-age=3600"})
