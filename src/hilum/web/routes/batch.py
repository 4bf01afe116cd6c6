"""`/predict/batch`: many slices in one request, each with a result or a problem."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter, Request

from hilum.services.batch import BatchFile, unpack
from hilum.web.auth import GuardedRoute
from hilum.web.batch_items import answer_item
from hilum.web.dependencies import Context, ContextDep
from hilum.web.routes.openapi import FILES_BODY, problems
from hilum.web.schemas import BatchAnswer, BatchItem

router = APIRouter(tags=["predictions"], route_class=GuardedRoute)


@router.post("/predict/batch", openapi_extra=FILES_BODY, responses=problems(400, 408, 413, 415, 422, 503))
async def predict_batch(request: Request, context: ContextDep) -> BatchAnswer:
    """Classifies many slices, or zips of slices: 200 with a result or a problem for each."""
    context.service.check_ready()
    with context.batches.admitted():
        sent = await context.uploads.read_files(request)
        files = await asyncio.to_thread(unpack, [BatchFile(one.data, one.name) for one in sent], context.batches.limits)
        del sent
        items = await _answer_all(context, files, request)
    answered = sum(item.result is not None for item in items)
    return BatchAnswer(items=items, answered=answered, refused=len(items) - answered)


async def _answer_all(context: Context, files: Sequence[BatchFile], request: Request) -> list[BatchItem]:
    """As many at once as there are threads, so that a batch leaves room in the line for single slices."""
    turns = asyncio.Semaphore(context.service.workers.threads)

    async def answer(index: int, file: BatchFile) -> BatchItem:
        async with turns:
            return await answer_item(context, index, file, request)

    return list(await asyncio.gather(*(answer(index, file) for index, file in enumerate(files))))
