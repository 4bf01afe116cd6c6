"""One file of many in, its result or its problem out: what batches and studies share."""

from __future__ import annotations

import hashlib
import time
from http import HTTPStatus

from fastapi import Request

from hilum.errors import HilumError
from hilum.services.batch import BatchFile
from hilum.web.answers import answer_file
from hilum.web.auth import actor_of
from hilum.web.dependencies import Context
from hilum.web.multipart import UploadedFile
from hilum.web.problems import problem_document, request_id_of, sent_errors
from hilum.web.schemas import BatchItem, ProblemAnswer


async def answer_item(context: Context, index: int, file: BatchFile, request: Request) -> BatchItem:
    """Classifies one file of a request with many.

    Args:
        context: the application's services.
        index: its place in the request.
        file: one encoded slice.
        request: which it came with.
    """
    digest = hashlib.sha256(file.data).hexdigest()
    try:
        one = UploadedFile(file.data, file.name)
        result = await answer_file(context, one, actor=actor_of(request), started_at=time.perf_counter())
    except HilumError as error:
        if error.code not in sent_errors():
            raise
        context.instruments.rejected.labels(error.code).inc()
        problem = ProblemAnswer(**problem_document(error, request_id_of(request)))
        return BatchItem(index=index, image_sha256=digest, status=error.status, problem=problem)
    return BatchItem(index=index, image_sha256=digest, status=HTTPStatus.OK, result=result)
