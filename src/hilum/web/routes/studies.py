"""`/predict/study`: the slices of one series, their aggregate, and where to look first; as JSON or as a DICOM SR."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from hilum.errors import ArchiveNoUsableImages, ReportImpossible
from hilum.services.batch import BatchFile, members_of
from hilum.services.studies import HeaderReader, SliceAnswer, StudyAnswer, put_together
from hilum.web.auth import GuardedRoute
from hilum.web.batch_items import answer_item
from hilum.web.dependencies import Context, ContextDep
from hilum.web.negotiation import preferred
from hilum.web.reports import DICOM, report_of_study
from hilum.web.routes.openapi import FILES_BODY, also_as, problems
from hilum.web.schemas import BatchItem
from hilum.web.study_schemas import AggregateAnswer, SeriesPart, StudyAnswerBody

router = APIRouter(tags=["predictions"], route_class=GuardedRoute)


@router.post(
    "/predict/study",
    response_model=StudyAnswerBody,
    openapi_extra=FILES_BODY,
    responses=also_as(DICOM) | problems(400, 408, 413, 415, 422, 503),
)
async def predict_study(request: Request, context: ContextDep) -> Response:
    """Classifies the slices of a series, a zip of them too, and sums them up; a DICOM SR with Accept."""
    context.service.check_ready()
    wants_report = preferred(request.headers.get("accept"), ("application/json", DICOM)) == DICOM
    headers = HeaderReader(with_references=wants_report)
    with context.studies.admitted():
        sent = [BatchFile(one.data, one.name) for one in await context.uploads.read_study(request)]
        await asyncio.to_thread(_check_whole, sent, context)
        items, slices = await _answer_all(context, sent, request, headers)
        if not slices:
            raise ArchiveNoUsableImages(
                "no file of the study could be classified; send one alone to /predict to see why"
            )
        study = put_together(slices)
        if wants_report:
            if len(study.series) > 1:
                raise ReportImpossible("the files are of several series; a report is about one")
            report = await asyncio.to_thread(report_of_study, study.series[0], items, slices)
            return Response(report, media_type=DICOM, headers={"Vary": "Accept"})
    return JSONResponse(_shaped(study, items).model_dump(mode="json"), headers={"Vary": "Accept"})


def _check_whole(files: Sequence[BatchFile], context: Context) -> None:
    """Unpacks everything once, so that an archive is refused before anything of it is answered or stored."""
    for _ in members_of(files, context.studies.limits):
        pass


async def _answer_all(
    context: Context, files: Sequence[BatchFile], request: Request, headers: HeaderReader
) -> tuple[list[BatchItem], list[SliceAnswer]]:
    """As many at once as there are threads; no more than those are in memory unpacked."""
    members = enumerate(members_of(files, context.studies.limits))
    items: list[BatchItem] = []
    slices: list[SliceAnswer] = []
    while some := await asyncio.to_thread(_next, members, context.service.workers.threads):
        answers = await asyncio.gather(*(answer_item(context, index, file, request) for index, file in some))
        for (index, file), item in zip(some, answers, strict=True):
            items.append(item)
            if item.result is not None:
                found = headers.read(file.data)
                result = item.result
                slices.append(SliceAnswer(index, found, result.probabilities, result.cancer_probability))
    return items, slices


def _next(members: Iterator[tuple[int, BatchFile]], count: int) -> list[tuple[int, BatchFile]]:
    return list(islice(members, count))


def _shaped(study: StudyAnswer, items: list[BatchItem]) -> StudyAnswerBody:
    answered = sum(item.result is not None for item in items)
    refused = len(items) - answered
    return StudyAnswerBody(
        series=tuple(
            SeriesPart(
                order=one.order,
                positions_mm=one.positions_mm,
                warnings=one.warnings,
                aggregate=AggregateAnswer(**asdict(one.aggregate)),
            )
            for one in study.series
        ),
        warnings=(*study.warnings, "slices-refused") if refused else study.warnings,
        items=items,
        answered=answered,
        refused=refused,
    )
