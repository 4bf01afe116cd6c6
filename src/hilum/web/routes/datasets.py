"""Labelled images: uploaded, listed, released and deleted."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError

from hilum.services.datasets import StoredBatch
from hilum.web.auth import actor_of
from hilum.web.dataset_schemas import UploadForm, UploadItem, UploadReport
from hilum.web.dependencies import ContextDep, DatasetDep
from hilum.web.refusals import RequestInvalid
from hilum.web.routes.openapi import form_body, problems
from hilum.web.upload_form import UploadSpool, read_form

router = APIRouter(tags=["labelled images"])


@router.post(
    "/upload-data",
    status_code=201,
    response_model=UploadReport,
    openapi_extra=form_body(UploadForm, "labelled slices, each as for /predict, or a zip with a folder a class"),
    responses=problems(400, 404, 408, 413, 415, 422, 503, 507),
)
async def upload_data(request: Request, context: ContextDep, desk: DatasetDep) -> Response:
    """Takes labelled images in, audited one by one: a report with what became of each; it is stored once answered."""
    predictor = context.service.model.predictor
    with desk.admitted(), closing(UploadSpool()) as spool:
        said = _form(await read_form(context.uploads, request, spool))
        batch = await desk.take(
            spool.parts(),
            predictor,
            label=said.label,
            group=said.group,
            takes_new_classes=said.new_classes,
            actor=actor_of(request),
        )
    headers = {"Location": f"/upload-batches/{batch.id}"}
    return Response(_report(batch).model_dump_json(), 201, headers, "application/json")


@router.get("/upload-batches/{batch_id}", responses=problems(404, 503))
async def show_upload(batch_id: str, desk: DatasetDep) -> UploadReport:
    """Shows the report of an upload again."""
    return _report(await desk.ask(lambda datasets: datasets.batch(batch_id)))


def _form(fields: dict[str, Any]) -> UploadForm:
    try:
        return UploadForm.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] and first["loc"][0] in UploadForm.model_fields else "a field"
        raise RequestInvalid(f"form.{name}: {first['msg']}"[:300]) from error


def _report(batch: StoredBatch) -> UploadReport:
    return UploadReport(
        batch_id=str(batch.id),
        accepted=batch.accepted,
        duplicates=batch.duplicates,
        quarantined=batch.quarantined,
        refused=batch.refused,
        items=[UploadItem(**item) for item in batch.items],
    )
