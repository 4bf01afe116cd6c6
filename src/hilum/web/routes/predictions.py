"""`/predict` and what can be seen of recent answers."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from hilum.services.prediction import MOST_LOOK_ALIKES
from hilum.web.dependencies import ContextDep, ServiceDep
from hilum.web.negotiation import preferred
from hilum.web.routes.openapi import FILE_BODY, also_as, problems
from hilum.web.schemas import BodyBox, ExplanationAnswer, LookAlikeAnswer, PredictionAnswer, SliceSize

router = APIRouter(tags=["predictions"])

Similar = Annotated[int, Query(ge=0, le=MOST_LOOK_ALIKES, description="how many look-alikes to name")]


@router.post("/predict", openapi_extra=FILE_BODY, responses=problems(400, 408, 409, 413, 415, 422, 503))
async def predict(request: Request, context: ContextDep, similar: Similar = 0) -> PredictionAnswer:
    """Classifies one chest-CT slice. Research use only: not a diagnosis."""
    started_at = time.perf_counter()
    stages = context.instruments.stage_seconds
    context.service.check_ready()
    file = await context.uploads.read_file(request)
    stages.labels("upload").observe(time.perf_counter() - started_at)
    answer = await context.service.predict(file.data, name=file.name, similar=similar)
    stages.labels("wait").observe(answer.wait_ms / 1000)
    stages.labels("compute").observe(answer.compute_ms / 1000)
    context.instruments.predictions.labels(answer.predicted_class, answer.decision, answer.model_version).inc()
    request.scope["hilum.model_version"] = answer.model_version
    look_alikes = None
    if answer.look_alikes is not None:
        look_alikes = tuple(LookAlikeAnswer(**asdict(one)) for one in answer.look_alikes)
    return PredictionAnswer(
        id=answer.id,
        predicted_class=answer.predicted_class,
        probabilities=answer.probabilities,
        cancer_probability=answer.cancer_probability,
        decision=answer.decision,
        prediction_set=answer.prediction_set,
        warnings=answer.warnings,
        model_version=answer.model_version,
        latency_ms=round((time.perf_counter() - started_at) * 1000, 2),
        training_match=answer.training_match,
        look_alikes=look_alikes,
    )


@router.get(
    "/predictions/{prediction_id}/explanation",
    response_model=ExplanationAnswer,
    responses=also_as("image/png") | problems(404, 503),
)
async def explanation(prediction_id: str, request: Request, service: ServiceDep) -> Response:
    """Shows what spoke for the predicted class: a transparent heat map of the slice's size, or JSON by Accept."""
    headers = {"Vary": "Accept"}
    if preferred(request.headers.get("accept"), ("image/png", "application/json")) == "image/png":
        picture = await service.show(prediction_id, lambda recent: recent.heat_map_png())
        return Response(picture, media_type="image/png", headers=headers)
    recent = await service.show(prediction_id, lambda recent: recent)
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
    "/predictions/{prediction_id}/slice", response_class=Response, responses=also_as("image/png") | problems(404, 503)
)
async def decoded_slice(prediction_id: str, service: ServiceDep) -> Response:
    """Shows the decoded slice as a grey PNG, so that DICOM and TIFF can be seen in a browser."""
    picture = await service.show(prediction_id, lambda recent: recent.slice_png())
    return Response(picture, media_type="image/png")
