"""`/batches`: many images, scored by workers while the client does something else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import ValidationError

from hilum.errors import HistoryOff
from hilum.services.batch_desk import BatchesDesk
from hilum.services.batch_rules import BatchStatus, KeptImage
from hilum.services.batch_sources import uploaded_images
from hilum.services.batches import StoredBatch, StoredResult
from hilum.web.auth import GuardedRoute, actor_of
from hilum.web.batch_schemas import BatchForm, BatchRequest, QueuedBatchAnswer, QueuedBatchPage, ResultPage
from hilum.web.bodies import parsed
from hilum.web.cursors import cursor_of, place_of
from hilum.web.dependencies import ContextDep
from hilum.web.event_stream import STREAM, event_stream
from hilum.web.refusals import RequestInvalid
from hilum.web.result_files import json_lines, result_answer, results_csv, results_header
from hilum.web.routes.openapi import also_as, form_body, json_body, problems
from hilum.web.upload_form import UploadSpool, read_form
from hilum.web.values import LeftOut

router = APIRouter(tags=["batches"], route_class=GuardedRoute)

_LAST_INDEX = 2**31 - 1
_ENOUGH = 0.02
"""The share that must be done before the time left can be told."""

_LINES = also_as("application/x-ndjson")


@dataclass(frozen=True)
class _File:
    """What results are written as."""

    ending: str
    media_type: str
    shaped: Callable[[Iterable[StoredResult]], str]
    header: str = ""


async def _desk(context: ContextDep) -> BatchesDesk:
    if context.queued is None:
        raise HistoryOff("this server keeps no state, so it takes no batches; send them to /predict/batch")
    return context.queued


DeskDep = Annotated[BatchesDesk, Depends(_desk)]


def _either_body() -> dict[str, Any]:
    """What OpenAPI is told: a form with files, or a list of images that were sent before."""
    form, listed = form_body(BatchForm, "slices, each as for /predict, or zips of slices"), json_body(BatchRequest)
    content = form["requestBody"]["content"] | listed["requestBody"]["content"]
    return {"requestBody": {"required": True, "content": content}}


@router.post(
    "/batches",
    status_code=202,
    response_model=QueuedBatchAnswer,
    openapi_extra=_either_body(),
    responses=problems(400, 404, 408, 413, 415, 422, 503, 507),
)
async def queue_batch(request: Request, context: ContextDep, desk: DeskDep) -> Response:
    """Queues many images for scoring; they are on disk once this is answered."""
    is_list = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    with desk.admitted():
        batch = await (_listed if is_list else _uploaded)(request, context, desk)
    headers = {"Location": f"/batches/{batch.id}"}
    return Response(_answer(batch).model_dump_json(), 202, headers, "application/json")


@router.get("/batches", responses=problems(404, 422, 503))
async def list_batches(
    desk: DeskDep,
    limit: Annotated[int, Query(ge=1, le=200, description="batches on a page")] = 50,
    cursor: Annotated[str | LeftOut, Query(max_length=200, description="`next` of the page before")] = None,
) -> QueuedBatchPage:
    """Lists batches, the newest first."""
    before = place_of(cursor) if cursor is not None else None
    found = await desk.ask(lambda batches: batches.page(before=before, limit=limit + 1))
    shown = found[:limit]
    has_more = len(found) > limit
    return QueuedBatchPage(
        items=[_answer(batch) for batch in shown],
        next=cursor_of((shown[-1].created_at, shown[-1].id)) if has_more else None,
    )


@router.get("/batches/{batch_id}", responses=problems(404, 503))
async def show_batch(batch_id: str, desk: DeskDep) -> QueuedBatchAnswer:
    """Shows how a batch stands."""
    return _answer(await desk.ask(lambda batches: batches.find(batch_id)))


@router.get("/batches/{batch_id}/events", response_class=Response, responses=STREAM | problems(404, 503))
async def watch_batch(batch_id: str, desk: DeskDep) -> Response:
    """Streams a batch's progress as server-sent events (`event: batch`), until it has ended or the server stops."""
    return await event_stream("batch", desk.watch(batch_id), _answer)


@router.get("/batches/{batch_id}/results", responses=problems(404, 422, 503))
async def list_results(
    batch_id: str,
    desk: DeskDep,
    after: Annotated[int, Query(ge=-1, le=_LAST_INDEX, description="`next` of the page before")] = -1,
    limit: Annotated[int, Query(ge=1, le=1000, description="results on a page")] = 200,
) -> ResultPage:
    """Lists the results so far, in the order of the images."""
    found = await desk.ask(lambda batches: _some(batches.find(batch_id), batches.results, after, limit + 1))
    shown = found[:limit]
    return ResultPage(
        items=[result_answer(one) for one in shown], next=shown[-1].item_index if len(found) > limit else None
    )


@router.get(
    "/batches/{batch_id}/results.csv", response_class=Response, responses=also_as("text/csv") | problems(404, 503)
)
async def export_csv(batch_id: str, desk: DeskDep) -> Response:
    """Exports the results so far as CSV; no cell is a formula."""
    media_type = "text/csv; charset=utf-8; header=present"
    return await _download(desk, batch_id, _File("csv", media_type, results_csv, results_header()))


@router.get("/batches/{batch_id}/results.ndjson", response_class=Response, responses=_LINES | problems(404, 503))
@router.get("/batches/{batch_id}/results.jsonl", response_class=Response, responses=_LINES | problems(404, 503))
async def export_lines(batch_id: str, desk: DeskDep) -> Response:
    """Exports the results so far, a JSON object a line."""
    return await _download(desk, batch_id, _File("jsonl", "application/x-ndjson", json_lines))


@router.post("/batches/{batch_id}/cancel", status_code=202, responses=problems(404, 503))
async def cancel_batch(batch_id: str, desk: DeskDep) -> QueuedBatchAnswer:
    """Ends a batch at once: its results so far stay; one that has ended stays as it is."""
    return _answer(await desk.ask(lambda batches: batches.cancel(batch_id)))


@router.delete("/batches/{batch_id}", status_code=204, responses=problems(404, 409, 503))
async def delete_batch(batch_id: str, request: Request, desk: DeskDep) -> Response:
    """Deletes a batch that has ended, with its results."""
    actor = actor_of(request)
    await desk.ask(lambda batches: batches.remove(batch_id, actor=actor))
    return Response(status_code=204)


async def _listed(request: Request, context: ContextDep, desk: BatchesDesk) -> StoredBatch:
    uploads = context.uploads
    said = parsed(BatchRequest, await uploads.read_json(request, uploads.limits.references_bytes))
    images = (KeptImage(sha256) for sha256 in said.images)
    return await desk.take(images, note=said.note, actor=actor_of(request))


async def _uploaded(request: Request, context: ContextDep, desk: BatchesDesk) -> StoredBatch:
    limits = context.uploads.limits
    with closing(UploadSpool()) as spool:
        fields = await read_form(
            context.uploads, request, spool, most_files=limits.scoring_files, most_bytes=limits.scoring_bytes
        )
        said = _form(fields)
        return await desk.take(uploaded_images(spool.parts(), desk.caps), note=said.note, actor=actor_of(request))


def _form(fields: dict[str, Any]) -> BatchForm:
    try:
        return BatchForm.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "note" if first["loc"] == ("note",) else "a field"
        raise RequestInvalid(f"form.{name}: {first['msg']}"[:300]) from error


def _some(
    batch: StoredBatch, results: Callable[..., Sequence[StoredResult]], after: int, limit: int
) -> Sequence[StoredResult]:
    """Results of a batch that is there."""
    return results(str(batch.id), after=after, limit=limit)


async def _download(desk: BatchesDesk, batch_id: str, file: _File) -> Response:
    """A file that is written as it is read, a page at a time."""
    batch = await desk.ask(lambda batches: batches.find(batch_id))

    async def lines() -> AsyncIterator[str]:
        yield file.header
        after = -1
        while some := await desk.ask(lambda batches: batches.results(batch_id, after=after)):  # noqa: B023 - awaited
            yield file.shaped(some)
            after = some[-1].item_index

    headers = {"Content-Disposition": f'attachment; filename="batch-{batch.id}.{file.ending}"'}
    return StreamingResponse(lines(), media_type=file.media_type, headers=headers)


def _answer(batch: StoredBatch) -> QueuedBatchAnswer:
    scored = batch.n_answered + batch.n_refused
    return QueuedBatchAnswer(
        id=str(batch.id),
        status=BatchStatus(batch.status),
        note=batch.note,
        model_version=batch.model_version,
        created_at=batch.created_at,
        started_at=batch.started_at,
        ended_at=batch.ended_at,
        images=batch.n_items,
        answered=batch.n_answered,
        refused=batch.n_refused,
        progress=scored / batch.n_items if batch.n_items else 0.0,
        seconds_left=_seconds_left(batch, scored),
        failure=batch.failure,
    )


def _seconds_left(batch: StoredBatch, scored: int) -> float | None:
    if batch.ended_at is not None or batch.started_at is None or scored < _ENOUGH * batch.n_items:
        return None
    since = (datetime.now(UTC) - batch.started_at).total_seconds()
    return round(since / scored * (batch.n_items - scored), 1) if scored else None
