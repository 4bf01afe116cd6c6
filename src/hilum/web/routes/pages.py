"""The dashboard's pages: shells that ask the API for what they show."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.templating import Jinja2Templates

from hilum.services.samples import SAMPLE_SEEDS
from hilum.web.auth import GuardedRoute, caller_of


@dataclass(frozen=True)
class DashboardPage:
    """A page of the dashboard; its template has its name.

    Attributes:
        name: of the template, and of the page in the navigation.
        address: the API's addresses are others, so that models are at `/registry`.
        label: in the navigation.
    """

    name: str
    address: str
    label: str


PAGES = (
    DashboardPage("classify", "/", "Classify"),
    DashboardPage("study", "/study", "Series"),
    DashboardPage("history", "/history", "History"),
    DashboardPage("data", "/data", "Data"),
    DashboardPage("training", "/training", "Training"),
    DashboardPage("registry", "/registry", "Models"),
    DashboardPage("performance", "/performance", "Performance"),
)

router = APIRouter(route_class=GuardedRoute)

templates = Jinja2Templates(Path(__file__).resolve().parent.parent / "templates")
templates.env.globals["pages"] = PAGES
templates.env.globals["samples"] = sorted(SAMPLE_SEEDS)


def _route_to(page: DashboardPage) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def show(request: Request) -> Response:
        return templates.TemplateResponse(request, f"{page.name}.html", shown(request, page.name))

    return show


for _page in PAGES:
    router.add_api_route(
        _page.address, _route_to(_page), name=_page.name, response_class=HTMLResponse, include_in_schema=False
    )


def shown(request: Request, here: str) -> dict[str, Any]:
    """What every page shows: where one is, and who is signed in."""
    caller = caller_of(request)
    return {"here": here, "signed_in": caller if caller is not None and caller.is_session else None}
