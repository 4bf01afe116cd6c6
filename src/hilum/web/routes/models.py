"""The registry of models: listed, shown, promoted and rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from hilum.errors import HilumError, RegistryUnavailable, StorageInvalid
from hilum.services.deployment import Deployment
from hilum.services.registry import CHAMPION, Alias, ModelRecord, ModelSummary
from hilum.web.auth import GuardedRoute, actor_of
from hilum.web.bodies import optional_json, parsed
from hilum.web.dependencies import ContextDep, DeploymentDep
from hilum.web.model_schemas import ModelAnswer, ModelDetail, ModelList, PromoteRequest
from hilum.web.routes.openapi import json_body, problems

router = APIRouter(tags=["models"], route_class=GuardedRoute)


@router.get("/models", responses=problems(404, 503))
def list_models(deployment: DeploymentDep) -> ModelList:
    """Lists the registered models, the newest first, and which of them serves."""
    with _reached():
        found, aliases = deployment.registry.list(), deployment.registry.aliases()
    champion, shadow = aliases.get(CHAMPION), deployment.shadow.report
    return ModelList(
        items=[ModelAnswer(**_summary(model, aliases, deployment)) for model in found],
        shadow=shadow.to_dict() if shadow is not None else None,
        rollback_to=champion.earlier[-1] if champion is not None and champion.earlier else None,
    )


@router.post("/models/rollback", responses=problems(404, 409, 503))
def roll_back(request: Request, deployment: DeploymentDep) -> ModelAnswer:
    """Makes the champion before this one the champion again; every server swaps to it within seconds."""
    with _reached():
        version = deployment.rollback(actor=actor_of(request)).version
        return _answer(version, deployment)


@router.get("/models/{version}", responses=problems(404, 503))
def show_model(version: str, deployment: DeploymentDep) -> ModelDetail:
    """Shows a model with its manifest, measured performance, card, and comparison with the champion of its time."""
    with _reached():
        model, aliases = deployment.registry.get(version), deployment.registry.aliases()
    documents = {name: getattr(model, name) for name in ("manifest", "metrics", "card", "report", "files")}
    return ModelDetail(**_summary(model, aliases, deployment), **documents)


@router.post(
    "/models/{version}/promote",
    openapi_extra=json_body(PromoteRequest, is_required=False),
    responses=problems(400, 404, 408, 409, 413, 415, 422, 503),
)
async def promote(version: str, request: Request, context: ContextDep, deployment: DeploymentDep) -> ModelAnswer:
    """Makes a model the champion once it was loaded here and answers as when it was made."""
    asked = parsed(PromoteRequest, await optional_json(request, context.uploads))
    actor = actor_of(request)

    def move() -> ModelAnswer:
        with _reached():
            deployment.promote(version, actor=actor, expected=asked.expected_champion)
            return _answer(version, deployment)

    return await run_in_threadpool(move)


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except StorageInvalid as error:
        raise RegistryUnavailable("the registry does not answer at present; try again in a moment") from error


def _answer(version: str, deployment: Deployment) -> ModelAnswer:
    registry = deployment.registry
    return ModelAnswer(**_summary(registry.get(version), registry.aliases(), deployment))


def _summary(model: ModelSummary | ModelRecord, aliases: dict[str, Alias], deployment: Deployment) -> dict[str, Any]:
    shown = {field.name: getattr(model, field.name) for field in fields(ModelSummary)}
    names = sorted(name for name, alias in aliases.items() if alias.version == model.version)
    return {**shown, "aliases": names, "is_served": model.version == _served(deployment)}


def _served(deployment: Deployment) -> str | None:
    try:
        return deployment.service.model.version
    except HilumError:
        return None
