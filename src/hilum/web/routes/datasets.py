"""Labelled images: uploaded, listed, released and deleted."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import StringConstraints, ValidationError

from hilum.errors import CursorInvalid
from hilum.services.datasets import ImageFilter, StoredBatch, StoredImage
from hilum.web.auth import GuardedRoute, actor_of
from hilum.web.bodies import optional_json, parsed
from hilum.web.dataset_schemas import (
    DatasetAnswer,
    DistributionRow,
    FindingAnswer,
    ImageAnswer,
    ImagePage,
    ReasonAnswer,
    ReleaseRequest,
    SuggestionAnswer,
    UploadForm,
    UploadItem,
    UploadReport,
)
from hilum.web.dependencies import ContextDep, DatasetDep
from hilum.web.refusals import RequestInvalid
from hilum.web.routes.openapi import also_as, form_body, json_body, problems
from hilum.web.upload_form import UploadSpool, read_form
from hilum.web.values import LeftOut

router = APIRouter(tags=["labelled images"], route_class=GuardedRoute)

_LAST_SEQUENCE = 2**63 - 1
_Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] | LeftOut


def _wanted(
    class_name: _Text = None,
    split: Literal["train", "test"] | LeftOut = None,
    source: Literal["import", "upload", "feedback"] | LeftOut = None,
    status: Literal["accepted", "quarantined", "deleted"] | LeftOut = None,
) -> ImageFilter:
    return ImageFilter(class_name, split, source, status)


@router.post(
    "/upload-data",
    status_code=201,
    response_model=UploadReport,
    openapi_extra=form_body(UploadForm, "labelled slices, each as for /predict, or a zip with a folder a class"),
    responses=problems(400, 404, 408, 409, 413, 415, 422, 503, 507),
)
async def upload_data(request: Request, context: ContextDep, desk: DatasetDep) -> Response:
    """Takes labelled images in, audited one by one: a report with what became of each; it is stored once answered."""
    predictor = context.service.model.predictor
    with desk.admitted(), closing(UploadSpool()) as spool:
        said = _form(await read_form(context.uploads, request, spool))
        batch = await desk.take(
            spool.parts(),
            predictor,
            context.service.decoders.decode,
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


@router.get("/dataset", responses=problems(404, 503))
async def show_dataset(desk: DatasetDep) -> DatasetAnswer:
    """Shows what may be trained on by class, split and source, what to mend in it, and what to label next."""
    found = await desk.ask(lambda datasets: datasets.overview())
    return DatasetAnswer(
        classes=list(found.classes),
        distribution=[DistributionRow(**asdict(row)) for row in found.distribution],
        quarantined=found.quarantined,
        since_last_run=found.since_last_run,
        findings=[FindingAnswer(**asdict(finding)) for finding in found.findings],
        label_next=[SuggestionAnswer(**asdict(one)) for one in found.label_next],
    )


@router.get("/dataset/images", responses=problems(404, 422, 503))
async def list_images(
    desk: DatasetDep,
    wanted: Annotated[ImageFilter, Depends(_wanted)],
    limit: Annotated[int, Query(ge=1, le=200, description="images on a page")] = 50,
    cursor: Annotated[str | LeftOut, Query(max_length=20, description="`next` of the page before")] = None,
) -> ImagePage:
    """Lists labelled images, the newest first."""
    before = _sequence_of(cursor) if cursor is not None else None
    found = await desk.ask(lambda datasets: datasets.page(wanted, before=before, limit=limit + 1))
    shown = found[:limit]
    return ImagePage(
        items=[_image(image) for image in shown], next=str(shown[-1].sequence) if len(found) > limit else None
    )


@router.get(
    "/dataset/images/{image_id}/thumbnail",
    response_class=Response,
    responses=also_as("image/png") | problems(404, 410, 422, 503),
)
async def show_thumbnail(
    image_id: str,
    desk: DatasetDep,
    side: Annotated[int, Query(ge=16, le=1024, description="of the long side at the most, in pixels")] = 128,
) -> Response:
    """Shows a labelled image as a grey PNG."""
    picture = await desk.ask(lambda datasets: datasets.thumbnail(image_id, side))
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


@router.post(
    "/dataset/images/{image_id}/release",
    openapi_extra=json_body(ReleaseRequest, is_required=False),
    responses=problems(400, 404, 408, 409, 413, 415, 422, 503),
)
async def release_image(image_id: str, request: Request, context: ContextDep, desk: DatasetDep) -> ImageAnswer:
    """Takes an image out of quarantine, perhaps with another class; it may then be trained on."""
    said = parsed(ReleaseRequest, await optional_json(request, context.uploads))
    actor = actor_of(request)
    return _image(await desk.ask(lambda datasets: datasets.release(image_id, said.class_name, actor=actor)))


@router.delete("/dataset/images/{image_id}", status_code=204, responses=problems(404, 409, 503))
async def delete_image(image_id: str, request: Request, desk: DatasetDep) -> Response:
    """Sees to it that an image is never trained on again. Said again it changes nothing."""
    actor = actor_of(request)
    await desk.ask(lambda datasets: datasets.delete(image_id, actor=actor))
    return Response(status_code=204)


def _sequence_of(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit()):
        raise CursorInvalid("this is no cursor that a page of this list named")
    return min(int(cursor), _LAST_SEQUENCE)


def _image(image: StoredImage) -> ImageAnswer:
    return ImageAnswer(
        id=str(image.id),
        sha256=image.sha256,
        class_name=image.class_name,
        group=image.group_name,
        split="test" if image.split == "test" else "train",
        source=image.source,
        status=image.status,
        reasons=[ReasonAnswer(**reason) for reason in image.reasons],
        batch_id=str(image.batch_id),
        is_kept=image.kept_sha256 is not None,
        width=image.width,
        height=image.height,
        added_at=image.added_at,
    )


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
