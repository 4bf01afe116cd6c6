"""`/metrics`: the model's measured performance for people, the process's counters for Prometheus; and `/limits`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as openmetrics

from hilum.errors import DatasetUnavailable, MetricsMissing
from hilum.services.recent import KEPT
from hilum.web.auth import GuardedRoute
from hilum.web.dependencies import Context, ContextDep
from hilum.web.measured_schemas import MeasuredImage, MeasuredImages
from hilum.web.negotiation import preferred
from hilum.web.routes.openapi import also_as, problems
from hilum.web.schemas import LimitsAnswer
from hilum.web.standing import Standing

router = APIRouter(tags=["operation"], route_class=GuardedRoute)

_OFFERED = ("application/json", "text/plain", "application/openmetrics-text")


@router.get(
    "/metrics",
    response_class=JSONResponse,
    responses=also_as("text/plain", "application/openmetrics-text") | problems(404, 503),
)
async def metrics(request: Request, context: ContextDep) -> Response:
    """Tells the served model's measured performance; Prometheus text where Accept prefers it."""
    headers = {"Vary": "Accept"}
    chosen = preferred(request.headers.get("accept"), _OFFERED)
    if chosen != "application/json":
        _refresh_gauges(context)
        is_open = chosen == "application/openmetrics-text"
        form = openmetrics if is_open else exposition
        told = context.instruments.with_others(Standing(context.service, context.deployment, context.drift))
        return Response(form.generate_latest(told), 200, headers, form.CONTENT_TYPE_LATEST)
    model = context.service.model
    if model.metrics is None:
        raise MetricsMissing(f"the bundle of {model.version} holds no metrics.json")
    return JSONResponse(model.metrics | {"model_version": model.version}, headers=headers)


@router.get("/metrics/answers", responses=problems(404, 422, 503))
async def measured_answers(
    context: ContextDep,
    true_class: Annotated[str, Query(max_length=100)],
    predicted_class: Annotated[str, Query(max_length=100)],
    limit: Annotated[int, Query(ge=1, le=200, description="images at the most")] = 24,
) -> MeasuredImages:
    """Lists the measured images of one cell of the confusion matrix, with the labelled images that they are."""
    model = context.service.model
    if model.answers is None:
        raise MetricsMissing(f"the bundle of {model.version} does not say what it answered each image")
    found = model.answers.cell(true_class, predicted_class)
    ids = await _image_ids(context, [one.sha256 for one in found[:limit]])
    names = model.answers.class_names
    items = [
        MeasuredImage(
            sha256=one.sha256,
            image_id=ids.get(one.sha256),
            true_class=one.true_class,
            predicted_class=one.predicted_class,
            probabilities=dict(zip(names, one.probabilities, strict=True)),
        )
        for one in found[:limit]
    ]
    return MeasuredImages(model_version=model.version, split=model.answers.split, total=len(found), items=items)


async def _image_ids(context: Context, digests: list[str]) -> dict[str, str]:
    """Ids of the labelled images among them; none where no labelled images can be asked."""
    if context.datasets is None:
        return {}
    try:
        return await context.datasets.ask(lambda datasets: datasets.image_ids(digests))
    except DatasetUnavailable:
        return {}


@router.get("/limits")
async def limits(context: ContextDep) -> LimitsAnswer:
    """Tells the limits in force."""
    decoding, upload, workers = context.service.limits, context.uploads.limits, context.service.workers
    return LimitsAnswer(
        predict_body_bytes=upload.body_bytes,
        batch_body_bytes=upload.batch_bytes,
        batch_files=upload.batch_files,
        batch_unpacked_bytes=context.batches.limits.unpacked_bytes,
        dataset_body_bytes=upload.dataset_bytes,
        scoring_body_bytes=upload.scoring_bytes,
        scoring_files=upload.scoring_files,
        dataset_files=upload.dataset_files,
        study_body_bytes=upload.study_bytes,
        study_files=upload.study_files,
        study_unpacked_bytes=context.studies.limits.unpacked_bytes,
        file_bytes=decoding.file_bytes,
        pixels=decoding.pixels,
        min_side=decoding.min_side,
        max_side=decoding.max_side,
        max_aspect=decoding.max_aspect,
        multipart_parts=upload.parts,
        multipart_header_bytes=upload.header_bytes,
        multipart_field_bytes=upload.field_bytes,
        upload_grace_s=upload.grace_s,
        upload_bytes_per_s=upload.bytes_per_s,
        predictions_at_once=workers.threads,
        predictions_waiting=workers.max_waiting,
        predictions_kept=KEPT,
        look_alikes=context.service.most_look_alikes,
    )


def _refresh_gauges(context: Context) -> None:
    context.instruments.waiting.set(context.service.workers.admitted)
    report = context.deployment.shadow.report if context.deployment is not None else None
    agreed = report.compared - report.disagreed if report is not None else 0
    counts = {"agreed": agreed, "disagreed": report.disagreed if report is not None else 0}
    for outcome, count in counts.items():
        context.instruments.shadow.labels(outcome).set(count)
