"""`/metrics`: the model's measured performance for people, the process's counters for Prometheus; and `/limits`."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as openmetrics

from hilum.errors import HilumError, MetricsMissing
from hilum.services.recent import KEPT
from hilum.web.dependencies import Context, ContextDep
from hilum.web.negotiation import preferred
from hilum.web.routes.openapi import also_as, problems
from hilum.web.schemas import LimitsAnswer

router = APIRouter(tags=["operation"])

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
        return Response(form.generate_latest(context.instruments.registry), 200, headers, form.CONTENT_TYPE_LATEST)
    model = context.service.model
    if model.metrics is None:
        raise MetricsMissing(f"the bundle of {model.version} holds no metrics.json")
    return JSONResponse(model.metrics | {"model_version": model.version}, headers=headers)


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
    is_behind = context.deployment is not None and context.deployment.is_behind
    context.instruments.serves_champion.set(0 if is_behind else 1)
    _refresh_drift(context)
    _refresh_shadow(context)
    try:
        context.instruments.model.clear()
        context.instruments.model.labels(context.service.model.version).set(1)
        context.service.check_ready()
    except HilumError:
        context.instruments.is_ready.set(0)
    else:
        context.instruments.is_ready.set(1)


def _refresh_shadow(context: Context) -> None:
    report = context.deployment.shadow.report if context.deployment is not None else None
    agreed = report.compared - report.disagreed if report is not None else 0
    counts = {"agreed": agreed, "disagreed": report.disagreed if report is not None else 0}
    for outcome, count in counts.items():
        context.instruments.shadow.labels(outcome).set(count)


def _refresh_drift(context: Context) -> None:
    """As was found within the last minute: a scrape waits for no database."""
    latest = context.drift.latest if context.drift is not None else None
    if latest is None:
        return
    instruments = context.instruments
    instruments.drift_psi.clear()
    for one in latest.inputs:
        instruments.drift_psi.labels(one.name).set(one.psi)
    if latest.predictions is not None:
        instruments.drift_psi.labels("predicted_class").set(latest.predictions.psi)
    instruments.drift_alerts.set(len(latest.alerts))
