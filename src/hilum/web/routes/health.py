"""Health: no pool, lock, file or database is touched, so it answers under any load."""

from __future__ import annotations

import platform
import time
from functools import lru_cache
from importlib.metadata import version

from fastapi import APIRouter, Request

from hilum.errors import HilumError
from hilum.services.prediction import PredictionService
from hilum.web.auth import GuardedRoute, caller_of
from hilum.web.dependencies import ContextDep, ServiceDep
from hilum.web.routes.openapi import problems
from hilum.web.schemas import HealthAnswer, StatusAnswer

router = APIRouter(tags=["health"], route_class=GuardedRoute)


@router.get("/health")
async def health(request: Request, context: ContextDep) -> HealthAnswer:
    """Tells a person how the service is; 200 also where it is degraded. Strangers are told neither why nor versions."""
    service = context.service
    reasons = service.degraded_reasons
    if context.history is not None and context.history.trouble is not None:
        reasons = (*reasons, f"predictions are not stored: {context.history.trouble}")
    if context.history is not None and context.history.image_trouble is not None:
        reasons = (*reasons, f"images of predictions are not stored: {context.history.image_trouble}")
    if context.access is not None and context.access.trouble is not None:
        reasons = (*reasons, f"keys cannot be read: {context.access.trouble}")
    if context.audit is not None and context.audit.trouble is not None:
        reasons = (*reasons, f"audit events are not stored: {context.audit.trouble}")
    if context.deployment is not None:
        reasons = (*reasons, *context.deployment.trouble)
    is_stranger = caller_of(request) is None
    return HealthAnswer(
        status="degraded" if reasons else "ok",
        model_version=_model_version(service),
        has_gate=_has_gate(service),
        versions={} if is_stranger else _versions(),
        uptime_s=round(time.monotonic() - context.started_at, 1),
        degraded_reasons=("send an API key to be told",) if reasons and is_stranger else reasons,
    )


@router.get("/health/live")
async def live() -> StatusAnswer:
    """Says that the process answers."""
    return StatusAnswer()


@router.get("/health/ready", responses=problems(503))
async def ready(service: ServiceDep) -> StatusAnswer:
    """Says that predictions can be answered: the model is loaded and reproduces its golden predictions."""
    service.check_ready()
    return StatusAnswer()


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    return {"hilum": version("hilum"), "python": platform.python_version(), "onnxruntime": version("onnxruntime")}


def _has_gate(service: PredictionService) -> bool | None:
    try:
        return service.model.predictor.manifest.gate is not None
    except HilumError:
        return None


def _model_version(service: PredictionService) -> str | None:
    try:
        return service.model.version
    except HilumError:
        return None
