"""Health: no pool, lock, file or database is touched, so it answers under any load."""

from __future__ import annotations

import platform
import time
from functools import lru_cache
from importlib.metadata import version

from fastapi import APIRouter

from hilum.errors import HilumError
from hilum.services.prediction import PredictionService
from hilum.web.dependencies import ContextDep, ServiceDep
from hilum.web.routes.openapi import problems
from hilum.web.schemas import HealthAnswer, StatusAnswer

router = APIRouter(tags=["health"])


@router.get("/health")
async def health(context: ContextDep) -> HealthAnswer:
    """Tells a person how the service is; 200 also where it is degraded."""
    service = context.service
    reasons = service.degraded_reasons
    if context.history is not None and context.history.trouble is not None:
        reasons = (*reasons, f"predictions are not stored: {context.history.trouble}")
    return HealthAnswer(
        status="degraded" if reasons else "ok",
        model_version=_model_version(service),
        has_gate=_has_gate(service),
        versions=_versions(),
        uptime_s=round(time.monotonic() - context.started_at, 1),
        degraded_reasons=reasons,
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
