"""`/automation`: when hilum retrains without being asked, and what its triggers say now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool

from hilum.errors import RunsUnavailable, StorageInvalid, TrainingUnavailable
from hilum.services.automation import Automation, AutomationSettings
from hilum.web.auth import GuardedRoute, actor_of
from hilum.web.automation_schemas import AutomationAnswer, AutomationRequest, TriggerAnswer
from hilum.web.bodies import parsed
from hilum.web.dependencies import ContextDep
from hilum.web.routes.openapi import json_body, problems

router = APIRouter(tags=["training"], route_class=GuardedRoute)

Found = TypeVar("Found")


async def _automation(context: ContextDep) -> Automation:
    if context.automation is None:
        raise TrainingUnavailable("this server keeps no labelled images to train on: HILUM_HISTORY is off")
    return context.automation


AutomationDep = Annotated[Automation, Depends(_automation)]


@router.get("/automation", responses=problems(503))
async def show_automation(automation: AutomationDep) -> AutomationAnswer:
    """Tells when hilum retrains without being asked, and what each trigger says now."""
    return await _asked(lambda: _answer(automation))


@router.put("/automation", openapi_extra=json_body(AutomationRequest), responses=problems(400, 408, 413, 415, 422, 503))
async def change_automation(request: Request, context: ContextDep, automation: AutomationDep) -> AutomationAnswer:
    """Sets triggers and action for every server."""
    wanted = AutomationSettings(**parsed(AutomationRequest, await context.uploads.read_json(request)).model_dump())
    actor = actor_of(request)

    def change() -> AutomationAnswer:
        automation.change(wanted, actor=actor)
        return _answer(automation)

    return await _asked(change)


def _answer(automation: Automation) -> AutomationAnswer:
    state = automation.state()
    triggers = [
        TriggerAnswer(name=one.name, value=one.value, threshold=one.threshold, is_due=one.name in state.due)
        for one in state.readings
    ]
    return AutomationAnswer(
        **asdict(state.settings), triggers=triggers, new_images=state.new_images, outcome=state.outcome
    )


async def _asked(question: Callable[[], Found]) -> Found:
    try:
        return await run_in_threadpool(question)
    except StorageInvalid as error:
        raise RunsUnavailable("the state does not answer at present; try again in a moment") from error
