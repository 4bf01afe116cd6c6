"""`/monitoring/drift`: whether recent inputs and predictions are like those the model was trained on."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter

from hilum.errors import HistoryOff
from hilum.web.auth import GuardedRoute
from hilum.web.dependencies import ContextDep
from hilum.web.monitoring_schemas import DriftAnswer
from hilum.web.routes.openapi import problems

router = APIRouter(tags=["operation"], route_class=GuardedRoute)


@router.get("/monitoring/drift", responses=problems(404, 503))
async def drift(context: ContextDep) -> DriftAnswer:
    """Compares the newest inputs and predictions with those of the served model's training."""
    if context.drift is None:
        raise HistoryOff("this server keeps no predictions to compare")
    report = await context.drift.report()
    return DriftAnswer.model_validate(asdict(report) | {"window": context.drift.window})
