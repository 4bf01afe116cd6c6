"""Training runs: asked for, listed, watched and cancelled."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from hilum.errors import RetrainInProgress, TrainingUnavailable
from hilum.services.retraining import Retraining, RunRequest, StoredRun
from hilum.services.run_rules import RunStatus
from hilum.web.auth import GuardedRoute, actor_of
from hilum.web.bodies import optional_json, parsed
from hilum.web.cursors import cursor_of, place_of
from hilum.web.dependencies import ContextDep
from hilum.web.event_stream import STREAM, event_stream
from hilum.web.problems import problem_response, request_id_of
from hilum.web.routes.openapi import json_body, problems
from hilum.web.run_schemas import EpochAnswer, RetrainRequest, RunAnswer, RunPage
from hilum.web.values import LeftOut

router = APIRouter(tags=["training"], route_class=GuardedRoute)


async def _retraining(context: ContextDep) -> Retraining:
    if context.retraining is None:
        raise TrainingUnavailable("this server keeps no labelled images to train on: HILUM_HISTORY is off")
    return context.retraining


RetrainingDep = Annotated[Retraining, Depends(_retraining)]


@router.post(
    "/retrain",
    status_code=202,
    response_model=RunAnswer,
    openapi_extra=json_body(RetrainRequest, is_required=False),
    responses=problems(400, 408, 409, 413, 415, 422, 503),
)
async def retrain(request: Request, context: ContextDep, retraining: RetrainingDep) -> Response:
    """Freezes the labelled images and queues a training run; it is durable once answered."""
    asked = parsed(RetrainRequest, await optional_json(request, context.uploads))
    wanted = RunRequest(asked.mode, asked.epochs, asked.note, asked.policy, actor_of(request))
    try:
        run = await retraining.ask(wanted)
    except RetrainInProgress as error:
        request.scope["hilum.code"] = error.code
        return problem_response(error, request_id_of(request), {"Location": f"/training-runs/{error.run_id}"})
    headers = {"Location": f"/training-runs/{run.id}"}
    return Response(run_answer(run).model_dump_json(), 202, headers, "application/json")


@router.get("/training-runs", responses=problems(422, 503))
async def list_runs(
    retraining: RetrainingDep,
    limit: Annotated[int, Query(ge=1, le=200, description="runs on a page")] = 50,
    cursor: Annotated[str | LeftOut, Query(max_length=200, description="`next` of the page before")] = None,
) -> RunPage:
    """Lists training runs, the newest first."""
    before = place_of(cursor) if cursor is not None else None
    found = await retraining.page(before=before, limit=limit + 1)
    shown = found[:limit]
    has_more = len(found) > limit
    return RunPage(
        items=[run_answer(run) for run in shown],
        next=cursor_of((shown[-1].created_at, shown[-1].id)) if has_more else None,
    )


@router.get("/training-runs/{run_id}", responses=problems(404, 503))
async def show_run(run_id: str, retraining: RetrainingDep) -> RunAnswer:
    """Shows one training run."""
    return run_answer(await retraining.find(run_id))


@router.get("/training-runs/{run_id}/events", response_class=Response, responses=STREAM | problems(404, 503))
async def watch_run(run_id: str, retraining: RetrainingDep) -> Response:
    """Streams a run's changes as server-sent events (`event: run`), until it has ended or the server stops."""
    return await event_stream("run", retraining.watch(run_id), run_answer)


@router.post("/training-runs/{run_id}/cancel", status_code=202, responses=problems(404, 503))
async def cancel_run(run_id: str, retraining: RetrainingDep) -> RunAnswer:
    """Asks for a run's end, which comes within 10 seconds; one that has ended stays as it is."""
    return run_answer(await retraining.cancel(run_id))


@router.post("/training-runs/{run_id}/decline", responses=problems(404, 409, 503))
async def decline_run(run_id: str, request: Request, retraining: RetrainingDep) -> RunAnswer:
    """Declines what a run made, where it awaits approval; its model stays registered and serves nothing."""
    return run_answer(await retraining.decline(run_id, actor=actor_of(request)))


def run_answer(run: StoredRun) -> RunAnswer:
    """A run as clients see it."""
    return RunAnswer(
        id=str(run.id),
        status=RunStatus(run.status),
        mode=run.mode,
        policy=run.policy,
        note=run.note,
        created_at=run.created_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        stage=run.stage,
        progress=run.progress,
        seconds_left=run.seconds_left,
        epochs=[EpochAnswer.model_validate(row) for row in run.epochs],
        snapshot_digest=run.snapshot_digest,
        n_images=run.n_images,
        parent_version=run.parent_version,
        model_version=run.model_version,
        cancel_requested_at=run.cancel_requested_at,
        report=run.report,
        failure=run.failure,
    )
