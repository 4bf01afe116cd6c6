"""The dashboard's pages: their names, their templates, and the one that shows a problem. Knows no service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.templating import Jinja2Templates

from hilum.web.negotiation import preferred


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

templates = Jinja2Templates(Path(__file__).resolve().parent / "templates")
templates.env.globals["pages"] = PAGES


def shown(request: Request, here: str) -> dict[str, Any]:
    """What every page shows: where one is, and who is signed in."""
    caller = request.scope.get("hilum.caller")
    return {"here": here, "signed_in": caller if caller is not None and caller.is_session else None}


def is_navigation(request: Request) -> bool:
    """Whether a browser asks for a page: it reads, and likes HTML better than JSON.

    Every browser that navigates names XHTML too. A program that says `Accept: text/html` to an API does not, and is
    answered as an API answers.
    """
    accept = request.headers.get("accept", "")
    if request.method not in {"GET", "HEAD"} or "application/xhtml+xml" not in accept.lower():
        return False
    return preferred(accept, ("application/problem+json", "application/json", "text/html")) == "text/html"


def problem_page(
    request: Request, problem: Mapping[str, Any], remedy: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A problem document as a page, under the same status.

    Args:
        request: which is answered.
        problem: the document's members.
        remedy: what to do about it.
        headers: of the answer.
    """
    detail = problem["detail"]
    told = {"problem": problem, "detail": detail[:1].upper() + detail[1:].rstrip("."), "remedy": remedy}
    page = templates.get_template("refused.html").render(shown(request, "") | told)
    return Response(page, problem["status"], headers, "text/html")
