"""The history of predictions: pages, one, CSV, receipts and feedback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import StringConstraints

from hilum.services.feedback import checked_label
from hilum.services.history import PredictionFilter, StoredPrediction
from hilum.services.receipts import kept_file_of
from hilum.web.auth import GuardedRoute, actor_of
from hilum.web.bodies import parsed
from hilum.web.cursors import cursor_of, place_of
from hilum.web.dependencies import ContextDep, HistoryDep
from hilum.web.routes.openapi import also_as, json_body, problems
from hilum.web.schemas import FeedbackAnswer, FeedbackRequest, PredictionPage, PredictionRecord, ReceiptAnswer
from hilum.web.tables import csv_header, csv_rows
from hilum.web.values import LeftOut, Moment

router = APIRouter(tags=["history"], route_class=GuardedRoute)

_YEARS = range(1900, 3000)
_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)
_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_Text = Annotated[str, StringConstraints(max_length=200, pattern=_PRINTABLE)] | LeftOut
_Start = Annotated[str, StringConstraints(max_length=64, pattern="^[0-9a-fA-F-]+$")]


def _wanted(
    *,
    predicted_class: _Text = None,
    decision: Literal["confident", "review"] | LeftOut = None,
    model_version: _Text = None,
    since: Annotated[
        Moment | LeftOut, Query(description="first moment, such as 2026-11-01; UTC without a zone")
    ] = None,
    until: Annotated[Moment | LeftOut, Query(description="first moment after, such as 2026-12-01")] = None,
    confirmed_class: _Text = None,
    feedback: Annotated[
        Literal["none", "agrees", "differs"] | LeftOut, Query(description="what a person said of the answer")
    ] = None,
    search: Annotated[_Start | LeftOut, Query(description="how the id, or the image's sha256, begins")] = None,
) -> PredictionFilter:
    return PredictionFilter(
        predicted_class, decision, model_version, _in_utc(since), _in_utc(until), confirmed_class, feedback,
        search.replace("-", "").lower() if search is not None else None,
    )  # fmt: skip


WantedDep = Annotated[PredictionFilter, Depends(_wanted)]


@router.get("/predictions", responses=problems(404, 422, 503))
async def list_predictions(
    history: HistoryDep,
    wanted: WantedDep,
    limit: Annotated[int, Query(ge=1, le=200, description="predictions on a page")] = 50,
    cursor: Annotated[str | LeftOut, Query(max_length=200, description="`next` of the page before")] = None,
) -> PredictionPage:
    """Lists predictions, the newest first."""
    before = place_of(cursor) if cursor is not None else None
    found = await history.page(wanted, before=before, limit=limit + 1)
    shown = found[:limit]
    has_more = len(found) > limit
    return PredictionPage(
        items=[_record(stored) for stored in shown],
        next=cursor_of((shown[-1].created_at, shown[-1].id)) if has_more else None,
    )


@router.get("/predictions.csv", response_class=Response, responses=also_as("text/csv") | problems(404, 422, 503))
async def export_predictions(history: HistoryDep, wanted: WantedDep) -> Response:
    """Exports all wanted predictions as CSV, the newest first; no cell is a formula."""
    pages = history.pages(wanted)
    first = await anext(pages, None) or ()  # so that a history out of reach is a problem and not half a file

    async def lines() -> AsyncIterator[str]:
        yield csv_header() + csv_rows(first)
        async for some in pages:
            yield csv_rows(some)

    headers = {"Content-Disposition": 'attachment; filename="predictions.csv"'}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8; header=present", headers=headers)


@router.get("/predictions/{prediction_id}", responses=problems(404, 503))
async def show_prediction(prediction_id: str, history: HistoryDep) -> PredictionRecord:
    """Shows one prediction."""
    return _record(await history.find(prediction_id))


@router.get("/predictions/{prediction_id}/receipt", responses=problems(404, 503))
async def show_receipt(prediction_id: str, history: HistoryDep) -> ReceiptAnswer:
    """Shows what is needed to make a prediction again: `hilum replay receipt.json`."""
    stored = await history.find(prediction_id)
    return ReceiptAnswer(
        id=str(stored.id),
        created_at=stored.created_at,
        image_sha256=stored.image_sha256,
        kept_sha256=kept_file_of(stored),
        provenance=await history.provenance(stored),
        answer=stored.answer,
    )


@router.post(
    "/predictions/{prediction_id}/feedback",
    openapi_extra=json_body(FeedbackRequest),
    responses=problems(400, 404, 408, 413, 415, 422, 503),
)
async def give_feedback(
    prediction_id: str, request: Request, context: ContextDep, history: HistoryDep
) -> FeedbackAnswer:
    """Keeps the confirmed class: the slice becomes a labelled candidate. Said again it changes nothing."""
    said = parsed(FeedbackRequest, await context.uploads.read_json(request))
    stored = await history.find(prediction_id)
    known = tuple(stored.answer.get("probabilities") or ())
    label, is_new = checked_label(said.confirmed_class, known, takes_new=said.is_new_label)
    kept = await history.give_feedback(prediction_id, label, is_new_label=is_new, actor=actor_of(request))
    if context.datasets is not None:
        context.datasets.join_feedback_soon()
    return FeedbackAnswer(
        prediction_id=str(kept.prediction_id),
        confirmed_class=kept.confirmed_class,
        is_new_label=kept.is_new_label,
        given_at=kept.given_at,
    )


def _record(stored: StoredPrediction) -> PredictionRecord:
    return PredictionRecord(
        id=str(stored.id),
        created_at=stored.created_at,
        image_sha256=stored.image_sha256,
        image_kept=stored.is_image_kept,
        predicted_class=stored.predicted_class,
        decision=stored.decision,
        model_version=stored.model_version,
        latency_ms=stored.latency_ms,
        confirmed_class=stored.confirmed_class,
        answer=stored.answer,
    )


def _in_utc(moment: datetime | None) -> datetime | None:
    """The moment in UTC; one before or after all predictions becomes the first or last that databases can hold."""
    if moment is None:
        return None
    if moment.year not in _YEARS:
        return _FIRST if moment.year < _YEARS.start else _LAST
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
