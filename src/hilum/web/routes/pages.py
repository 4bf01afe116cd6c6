"""The dashboard's pages: shells that ask the API for what they show."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from hilum.services.samples import SAMPLE_SEEDS
from hilum.web.auth import GuardedRoute
from hilum.web.dashboard import PAGES, DashboardPage, shown, templates

router = APIRouter(route_class=GuardedRoute)

templates.env.globals["samples"] = sorted(SAMPLE_SEEDS)


def _route_to(page: DashboardPage) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def show(request: Request) -> Response:
        return templates.TemplateResponse(request, f"{page.name}.html", shown(request, page.name))

    return show


for _page in PAGES:
    router.add_api_route(
        _page.address, _route_to(_page), name=_page.name, response_class=HTMLResponse, include_in_schema=False
    )
