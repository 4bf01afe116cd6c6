"""The dashboard's pages: shells that ask the API for what they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.templating import Jinja2Templates

from hilum.services.samples import SAMPLE_SEEDS
from hilum.web.auth import caller_of

router = APIRouter()

templates = Jinja2Templates(Path(__file__).resolve().parent.parent / "templates")
templates.env.globals["pages"] = (
    ("classify", "/", "Classify"),
    ("history", "/history", "History"),
    ("data", "/data", "Data"),
    ("training", "/training", "Training"),
    ("registry", "/registry", "Models"),
    ("performance", "/performance", "Performance"),
)


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
async def classify(request: Request) -> Response:
    """Slices in, answers out."""
    return templates.TemplateResponse(
        request, "classify.html", shown(request, "classify") | {"samples": sorted(SAMPLE_SEEDS)}
    )


@router.get("/history", response_class=HTMLResponse, include_in_schema=False)
async def history(request: Request) -> Response:
    """What was answered before."""
    return templates.TemplateResponse(request, "history.html", shown(request, "history"))


@router.get("/data", response_class=HTMLResponse, include_in_schema=False)
async def data(request: Request) -> Response:
    """What may be trained on, and what waits for a person."""
    return templates.TemplateResponse(request, "data.html", shown(request, "data"))


@router.get("/training", response_class=HTMLResponse, include_in_schema=False)
async def training(request: Request) -> Response:
    """Training runs: started, watched, compared."""
    return templates.TemplateResponse(request, "training.html", shown(request, "training"))


@router.get("/registry", response_class=HTMLResponse, include_in_schema=False)
async def registry(request: Request) -> Response:
    """Registered models: compared, promoted, rolled back. `/models` is the API's."""
    return templates.TemplateResponse(request, "registry.html", shown(request, "registry"))


@router.get("/performance", response_class=HTMLResponse, include_in_schema=False)
async def performance(request: Request) -> Response:
    """What was measured of the served model."""
    return templates.TemplateResponse(request, "performance.html", shown(request, "performance"))


def shown(request: Request, here: str) -> dict[str, Any]:
    """What every page shows: where one is, and who is signed in."""
    caller = caller_of(request)
    return {"here": here, "signed_in": caller if caller is not None and caller.is_session else None}
