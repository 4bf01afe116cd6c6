"""A slice in, a stored answer out: what `/predict` and `/predict/batch` share. Knows services, not request bodies."""

from __future__ import annotations

import time
from dataclasses import asdict

from hilum.services.audit_log import PREDICT, NewEvent
from hilum.services.history import NewPrediction
from hilum.services.prediction import Answer
from hilum.web.dependencies import Context
from hilum.web.multipart import UploadedFile
from hilum.web.schemas import LookAlikeAnswer, PredictionAnswer

NOT_STORED, IMAGE_NOT_STORED = "history-unavailable", "image-not-stored"
"""Warnings of an answer that could not be kept, or not whole."""


async def answer_file(
    context: Context,
    file: UploadedFile,
    *,
    actor: str,
    similar: int = 0,
    is_let_in: bool = False,
    started_at: float,
) -> PredictionAnswer:
    """Classifies one file and returns once the answer is on disk, or cannot be put there.

    Args:
        context: the application's services.
        file: one encoded slice; its name is compared with its content and forgotten.
        actor: who asks, for the audit log.
        similar: so many look-alikes are named.
        is_let_in: the guard found room for it before its body came.
        started_at: when the request began, of `time.perf_counter`.

    Raises:
        HilumError: the file cannot be classified.
    """
    keeps = context.history is not None and context.history.keeps_images
    computed = await context.service.predict(
        file.data, name=file.name, similar=similar, with_pixel_file=keeps, is_let_in=is_let_in
    )
    _count(context, computed)
    answer = _shaped(computed, latency_ms=round((time.perf_counter() - started_at) * 1000, 2))
    new = NewPrediction(
        id=computed.id,
        image_sha256=computed.image_sha256,
        pixel_file=computed.pixel_file,
        answer=answer.model_dump(mode="json", exclude={"stored"}),
        provenance=computed.provenance,
        actor=actor,
        statistics=computed.statistics,
    )
    return await _stored(context, answer, new)


async def _stored(context: Context, answer: PredictionAnswer, new: NewPrediction) -> PredictionAnswer:
    history = context.history
    if history is None:
        if context.audit is not None:
            await context.audit.record(NewEvent(PREDICT, new.actor, new.id))
        return answer
    started_at = time.perf_counter()
    kept = await history.keep(new)
    context.instruments.observe_stage("store", time.perf_counter() - started_at)
    if kept is None:
        return answer.model_copy(update={"warnings": (*answer.warnings, NOT_STORED)})
    if history.keeps_images and not kept.is_image_kept:
        return answer.model_copy(update={"stored": True, "warnings": (*answer.warnings, IMAGE_NOT_STORED)})
    return answer.model_copy(update={"stored": True})


def _count(context: Context, answer: Answer) -> None:
    context.instruments.observe_stage("wait", answer.wait_ms / 1000)
    context.instruments.observe_stage("compute", answer.compute_ms / 1000)
    context.instruments.predictions.labels(answer.predicted_class, answer.decision, answer.model_version).inc()


def _shaped(answer: Answer, *, latency_ms: float) -> PredictionAnswer:
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
        latency_ms=latency_ms,
        training_match=answer.training_match,
        look_alikes=look_alikes,
    )
