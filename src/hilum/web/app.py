"""Puts the web application together from its parts. Knows no settings and no server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from hilum.services.access import Access
from hilum.services.audit_log import AuditLog
from hilum.services.automation import Automation
from hilum.services.batch_desk import BatchesDesk
from hilum.services.batch_supervision import BatchSupervisor
from hilum.services.dataset_desk import DatasetDesk
from hilum.services.deployment import Deployment
from hilum.services.drift_monitor import DriftMonitor
from hilum.services.history import History
from hilum.services.prediction import PredictionService
from hilum.services.retraining import Retraining
from hilum.services.supervision import Supervisor
from hilum.web.access_description import describe_access
from hilum.web.access_table import check_table
from hilum.web.admission import AdmissionGuard
from hilum.web.auth import AccessGuard, GuardedRoute, check_guarded
from hilum.web.cross_origin import CrossOrigin
from hilum.web.dependencies import Context
from hilum.web.draining import when_stopping
from hilum.web.metrics import Instruments
from hilum.web.middleware import RequestGuard, RequestRecorder
from hilum.web.problems import install_problem_handlers
from hilum.web.routes import automation as automation_routes
from hilum.web.routes import (
    batch,
    batches,
    documents,
    health,
    models,
    monitoring,
    performance,
    predictions,
    sessions,
    studies,
)
from hilum.web.routes import datasets as dataset_routes
from hilum.web.routes import history as history_routes
from hilum.web.routes import pages as page_routes
from hilum.web.routes import training_runs as training_routes
from hilum.web.upload_limits import UploadLimits
from hilum.web.uploads import UploadReader

if TYPE_CHECKING:
    from hilum.web.tracing import Tracing

_STATIC = Path(__file__).resolve().parent / "static"

_DESCRIPTION = (
    "Classifies chest-CT slices and shows why. Research software, not a medical device. "
    "Errors are problem documents (RFC 9457); each type is described at `/problems/{slug}`."
)


class _Application(FastAPI):
    """FastAPI, asked only for what the guard at its door lets through."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.router.route_class = GuardedRoute
        self.door: ASGIApp = super().__call__

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.door(scope, receive, send)


class _WholeFiles(StaticFiles):
    """Static files, kept by browsers until their tag changes, and always whole.

    Ranges of small files cost and serve nobody; RFC 9110 lets a server ignore them.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name not in {b"range", b"if-range"}]
        await super().__call__({**scope, "headers": headers}, receive, send)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def create_app(
    service: PredictionService,
    *,
    history: History | None = None,
    access: Access | None = None,
    audit: AuditLog | None = None,
    retraining: Retraining | None = None,
    supervisor: Supervisor | None = None,
    deployment: Deployment | None = None,
    datasets: DatasetDesk | None = None,
    drift: DriftMonitor | None = None,
    automation: Automation | None = None,
    queued: BatchesDesk | None = None,
    batch_supervisor: BatchSupervisor | None = None,
    tracing: Tracing | None = None,
    upload_limits: UploadLimits | None = None,
    allowed_hosts: frozenset[str] = frozenset(),
    allowed_origins: frozenset[str] = frozenset(),
    listens_once_loaded: bool = False,
) -> FastAPI:
    """Makes the application.

    Args:
        service: answers for slices; the application starts and closes it.
        history: keeps predictions, and is started and closed too; None keeps none.
        access: lets callers in, and is started and closed too; None lets in everyone.
        audit: keeps who did what, and is started and closed too; None keeps nothing of it.
        retraining: takes training runs, and is started and closed too; None takes none.
        deployment: keeps the service's model the champion, and is started and closed too; None keeps the first.
        supervisor: starts the process of a run, and is started and closed too; None leaves that to others.
        datasets: takes labelled images, and is started and closed too; None takes none.
        drift: compares recent inputs with the training ones, and is started and closed too; None compares nothing.
        queued: takes batches that are scored later, and is started and closed too; None takes none.
        batch_supervisor: starts what scores them, and is started and closed too; None leaves that to others.
        automation: retrains without being asked, and is started and closed too; None never does.
        tracing: makes traces of requests, and is started and closed too; None makes none.
        upload_limits: caps on request bodies.
        allowed_hosts: host names answered to; empty for any.
        allowed_origins: web origins whose pages may use the API with a key; empty for none.
        listens_once_loaded: takes no connection before the model is loaded, or has failed to; else it tells meanwhile
            that it is not ready.

    Raises:
        RuntimeError: a route declares no role in `access_table`.
    """
    instruments = Instruments(tracing.stage if tracing is not None else None)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        others = (tracing, drift, automation, service, history, audit, access, retraining, supervisor, deployment)
        parts = [part for part in (*others, datasets, queued, batch_supervisor) if part is not None]
        if queued is not None:
            when_stopping(queued.end_streams)
        if retraining is not None:
            when_stopping(retraining.end_streams)
        for part in parts:
            part.start()
        if listens_once_loaded:
            await asyncio.to_thread(service.loaded.wait)
        yield
        for part in parts:
            part.close()

    app = _Application(
        title="hilum", version=version("hilum"), description=_DESCRIPTION, docs_url=None, redoc_url=None,
        openapi_url=None, lifespan=lifespan, redirect_slashes=False,
    )  # fmt: skip
    app.state.context = Context(
        service,
        instruments,
        UploadReader(upload_limits or UploadLimits()),
        history,
        access,
        audit,
        retraining,
        deployment,
        datasets,
        drift,
        automation,
        queued,
    )
    for routes in (
        predictions,
        batch,
        batches,
        studies,
        history_routes,
        performance,
        monitoring,
        health,
        sessions,
        training_routes,
        automation_routes,
        dataset_routes,
        models,
        documents,
        page_routes,
    ):
        app.include_router(routes.router)
    app.mount("/static", _WholeFiles(directory=_STATIC), name="static")
    check_table(app.routes)
    check_guarded(app.routes)
    describe_access(app)
    install_problem_handlers(app)
    app.add_middleware(AccessGuard, access=access, allowed_origins=allowed_origins)
    if allowed_origins:  # outside of the guard, since browsers ask first without credentials
        app.add_middleware(
            CrossOrigin,
            allow_origins=sorted(allowed_origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    app.add_middleware(RequestGuard, allowed_hosts=allowed_hosts)
    app.add_middleware(RequestRecorder, instruments=instruments)
    app.door = AdmissionGuard(app.door, service, instruments, allowed_origins)
    if tracing is not None:
        from hilum.web.tracing import RequestTracer

        app.door = RequestTracer(app.door, tracing)
    return app
