"""`/predict`, and the pictures behind an answer."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from hilum.services.explanations import show
from hilum.services.pictures import MOST_SIDE, hounsfield_npy, slice_png
from hilum.services.prediction import MOST_LOOK_ALIKES
from hilum.services.recent import PREVIEW_SIDE
from hilum.web.answers import answer_file
from hilum.web.auth import GuardedRoute, actor_of
from hilum.web.dependencies import ContextDep, HistoryDep, context_of
from hilum.web.negotiation import preferred
from hilum.web.reports import DICOM, reference_of, report_of_slice
from hilum.web.routes.openapi import FILE_BODY, also_as, problems
from hilum.web.schemas import BodyBox, ExplanationAnswer, PredictionAnswer, SliceSize

router = APIRouter(tags=["predictions"], route_class=GuardedRoute)

Similar = Annotated[int, Query(ge=0, le=MOST_LOOK_ALIKES, description="how many look-alikes to name")]


@router.post(
    "/predict",
    response_model=PredictionAnswer,
    openapi_extra=FILE_BODY,
    responses=also_as(DICOM) | problems(400, 408, 409, 413, 415, 422, 503),
)
async def predict(request: Request, similar: Similar = 0) -> Response:
    """Classifies one chest-CT slice; a DICOM SR with Accept. Research use only: not a diagnosis."""
    started_at, context = time.perf_counter(), context_of(request)
    context.service.check_ready()
    file = await context.uploads.read_file(request)
    context.instruments.observe_stage("upload", time.perf_counter() - started_at)
    wants_report = preferred(request.headers.get("accept"), ("application/json", DICOM)) == DICOM
    with context.studies.admitted() if wants_report else nullcontext():
        reference = reference_of(file.data) if wants_report else None
        answer = await answer_file(
            context, file, actor=actor_of(request), similar=similar, is_let_in=True, started_at=started_at
        )
        request.scope["hilum.model_version"] = answer.model_version
        if reference is None:
            return Response(answer.model_dump_json(), media_type="application/json")
        report = await asyncio.to_thread(report_of_slice, answer, reference)
        return Response(report, media_type=DICOM)


@router.get(
    "/predictions/{prediction_id}/explanation",
    response_model=ExplanationAnswer,
    responses=also_as("image/png") | problems(404, 409, 410, 503),
)
async def explanation(prediction_id: str, request: Request, context: ContextDep) -> Response:
    """Shows what spoke for the predicted class: a transparent heat map of the slice's size, or JSON by Accept."""
    headers = {"Vary": "Accept"}
    if preferred(request.headers.get("accept"), ("image/png", "application/json")) == "image/png":
        picture = await show(context.service, context.history, prediction_id, lambda recent: recent.heat_map_png())
        return Response(picture, media_type="image/png", headers=headers)
    recent = await show(context.service, context.history, prediction_id, lambda recent: recent)
    shown = recent.explanation
    answer = ExplanationAnswer(
        id=prediction_id,
        predicted_class=recent.predicted_class,
        grid=recent.grid(),
        body=BodyBox(top=shown.top, bottom=shown.bottom, left=shown.left, right=shown.right),
        slice=SliceSize(height=shown.height, width=shown.width),
    )
    return JSONResponse(answer.model_dump(), headers=headers)


@router.get(
    "/predictions/{prediction_id}/slice",
    response_class=Response,
    responses=also_as("image/png") | problems(404, 410, 422, 503),
)
async def decoded_slice(
    prediction_id: str,
    context: ContextDep,
    side: Annotated[int, Query(ge=16, le=MOST_SIDE, description="the long side, at most, in pixels")] = PREVIEW_SIDE,
) -> Response:
    """Shows the decoded slice as a grey PNG, so that DICOM and TIFF can be seen in a browser."""
    picture = await slice_png(context.service, context.history, prediction_id, side=side)
    return Response(picture, media_type="image/png")


@router.get(
    "/predictions/{prediction_id}/hounsfield.npy",
    response_class=Response,
    responses=also_as("application/octet-stream") | problems(404, 409, 410, 503),
)
async def hounsfield(prediction_id: str, context: ContextDep, history: HistoryDep) -> Response:
    """Gives a DICOM slice in Hounsfield units, int16 rows as `numpy.load` reads them, to set a window on."""
    values = await hounsfield_npy(context.service, history, prediction_id)
    return Response(values, media_type="application/octet-stream")
