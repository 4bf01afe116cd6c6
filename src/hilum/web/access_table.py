"""Which role each route needs. What is not listed here is not served. Knows no key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Mount, compile_path

from hilum.services.access import Role

PUBLIC = None
"""Anyone: what a probe, a browser that is to sign in, or the reader of a problem document must reach."""

PAGES = ("/", "/study", "/history", "/data", "/training", "/registry", "/performance")
"""The dashboard. A page shows no data of its own: what it asks the API for needs the roles of those routes."""

_Row = dict[str, Role | None]

ACCESS: dict[str, _Row] = {
    **{page: {"GET": Role.PREDICT} for page in PAGES},
    "/sign-in": {"GET": PUBLIC},
    "/sessions": {"POST": PUBLIC},
    "/sessions/current": {"DELETE": Role.PREDICT},
    "/static": {"GET": PUBLIC, "HEAD": PUBLIC},
    "/docs": {"GET": PUBLIC},
    "/openapi.json": {"GET": PUBLIC, "HEAD": PUBLIC},
    "/problems": {"GET": PUBLIC},
    "/problems/{slug}": {"GET": PUBLIC},
    "/health": {"GET": PUBLIC},
    "/health/live": {"GET": PUBLIC},
    "/health/ready": {"GET": PUBLIC},
    "/metrics": {"GET": Role.PREDICT},
    "/metrics/answers": {"GET": Role.PREDICT},
    "/limits": {"GET": Role.PREDICT},
    "/monitoring/drift": {"GET": Role.PREDICT},
    "/samples/{number}.png": {"GET": Role.PREDICT},
    "/predict": {"POST": Role.PREDICT},
    "/predict/batch": {"POST": Role.PREDICT},
    "/predict/study": {"POST": Role.PREDICT},
    "/predictions": {"GET": Role.ANNOTATE},
    "/predictions.csv": {"GET": Role.ANNOTATE},
    "/predictions/{prediction_id}": {"GET": Role.PREDICT},
    "/predictions/{prediction_id}/receipt": {"GET": Role.PREDICT},
    "/predictions/{prediction_id}/explanation": {"GET": Role.PREDICT},
    "/predictions/{prediction_id}/slice": {"GET": Role.PREDICT},
    "/predictions/{prediction_id}/hounsfield.npy": {"GET": Role.PREDICT},
    "/predictions/{prediction_id}/feedback": {"POST": Role.ANNOTATE},
    "/batches": {"GET": Role.ANNOTATE, "POST": Role.PREDICT},
    "/batches/{batch_id}": {"GET": Role.PREDICT, "DELETE": Role.ANNOTATE},
    "/batches/{batch_id}/events": {"GET": Role.PREDICT},
    "/batches/{batch_id}/results": {"GET": Role.PREDICT},
    "/batches/{batch_id}/results.csv": {"GET": Role.PREDICT},
    "/batches/{batch_id}/results.jsonl": {"GET": Role.PREDICT},
    "/batches/{batch_id}/results.ndjson": {"GET": Role.PREDICT},
    "/batches/{batch_id}/cancel": {"POST": Role.PREDICT},
    "/upload-data": {"POST": Role.ANNOTATE},
    "/upload-batches/{batch_id}": {"GET": Role.ANNOTATE},
    "/dataset": {"GET": Role.ANNOTATE},
    "/dataset/images": {"GET": Role.ANNOTATE},
    "/dataset/images/{image_id}": {"DELETE": Role.ANNOTATE},
    "/dataset/images/{image_id}/thumbnail": {"GET": Role.ANNOTATE},
    "/dataset/images/{image_id}/release": {"POST": Role.ANNOTATE},
    "/retrain": {"POST": Role.ADMINISTER},
    "/training-runs": {"GET": Role.PREDICT},
    "/training-runs/{run_id}": {"GET": Role.PREDICT},
    "/training-runs/{run_id}/events": {"GET": Role.PREDICT},
    "/automation": {"GET": Role.PREDICT, "PUT": Role.ADMINISTER},
    "/models": {"GET": Role.PREDICT},
    "/models/rollback": {"POST": Role.ADMINISTER},
    "/models/{version}": {"GET": Role.PREDICT},
    "/models/{version}/promote": {"POST": Role.ADMINISTER},
    "/training-runs/{run_id}/cancel": {"POST": Role.ADMINISTER},
    "/training-runs/{run_id}/decline": {"POST": Role.ADMINISTER},
}
"""Role by route and method. One prediction is found by its random id only, lists show everybody's."""


@dataclass(frozen=True)
class Need:
    """What a request needs.

    Attributes:
        template: the route's path; None where there is no such route.
        role: the least role; `PUBLIC` for anyone.
    """

    template: str | None
    role: Role | None


@dataclass(frozen=True)
class _Pattern:
    regex: re.Pattern[str]
    template: str


def _patterns() -> Iterator[_Pattern]:
    for template in ACCESS:
        is_mount = template == "/static"
        yield _Pattern(compile_path(template + "/{path:path}" if is_mount else template)[0], template)


_PATTERNS = tuple(_patterns())
_EXACT = frozenset(template for template in ACCESS if "{" not in template and template != "/static")


def need_of(method: str, path: str) -> Need:
    """What a request to `path` needs; an unknown address, or method of a closed one, is answered to callers only."""
    template = path if path in _EXACT and method in ACCESS[path] else _template_of(path, method)
    if template is None:
        return Need(None, Role.PREDICT)
    row = ACCESS[template]
    if method in row:
        return Need(template, row[method])
    is_open = all(role is PUBLIC for role in row.values())
    return Need(template, PUBLIC if is_open else Role.PREDICT)


def routes_of(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Path and method of every route of an application."""
    for context in iter_route_contexts(list(routes)):
        methods = ("GET", "HEAD") if isinstance(context.original_route, Mount) else context.methods or ("GET",)
        for method in sorted(methods):
            yield str(context.path), method


def check_table(routes: Iterable[BaseRoute]) -> None:
    """Returns where the table lists every route of an application and nothing else.

    Raises:
        RuntimeError: it does not; the application is then not made.
    """
    found = set(routes_of(routes))
    listed = {(path, method) for path, row in ACCESS.items() for method in row}
    for path, method in sorted(found - listed):
        raise RuntimeError(f"{method} {path} has no row in hilum.web.access_table: say which role it needs")
    for path, method in sorted(listed - found):
        raise RuntimeError(f"hilum.web.access_table lists {method} {path}, which is no route")


def _template_of(path: str, method: str) -> str | None:
    """The template that the router takes: the first that fits the path and takes the method, else that fits the path.

    `GET /models/rollback` asks for a model of that name, as only `POST` has a route of its own there.
    """
    found = [pattern.template for pattern in _PATTERNS if pattern.regex.match(path)]
    return next((template for template in found if method in ACCESS[template]), found[0] if found else None)
