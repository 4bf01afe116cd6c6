"""The shapes of batches, as clients see them in OpenAPI. Knows no service."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hilum.services.batch_rules import BatchStatus

_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_Note = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$", description="why, in your words")]


class BatchForm(BaseModel):
    """What a form says besides its files."""

    model_config = ConfigDict(extra="forbid")

    note: _Note = ""


class BatchRequest(BaseModel):
    """Images to score that were sent before."""

    model_config = ConfigDict(extra="forbid", strict=True)

    images: list[_Digest] = Field(
        min_length=1, max_length=20_000, description="sha256 of files whose images are kept with their predictions"
    )
    note: _Note = ""


class QueuedBatchAnswer(BaseModel):
    """A batch."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    status: BatchStatus
    note: str
    model_version: str = Field(description="that scores all of it, whatever is promoted meanwhile")
    created_at: datetime
    started_at: datetime | None = Field(description="when a worker took it")
    ended_at: datetime | None
    images: int
    answered: int = Field(description="images with a result so far")
    refused: int = Field(description="images with a problem so far")
    progress: float = Field(description="share of the images scored, 0 to 1")
    seconds_left: float | None = Field(description="as far as can be told; null before that, and at the end")
    failure: str | None = Field(description="why it failed, in words")


class QueuedBatchPage(BaseModel):
    """Some batches, the newest first."""

    items: list[QueuedBatchAnswer]
    next: str | None = Field(description="the `cursor` of the next page; null on the last")


class ResultProblem(BaseModel):
    """Why an image has no result."""

    code: str
    title: str
    status: int
    detail: str
    limit: float | None = None
    actual: float | None = None
    reasons: list[str] | None = Field(default=None, description="why a picture is not taken for a chest CT, in words")


class ScoredAnswer(BaseModel):
    """The model's answer for one image. Research use only: not a diagnosis."""

    model_config = ConfigDict(protected_namespaces=())

    predicted_class: str
    probabilities: dict[str, float]
    cancer_probability: float | None
    decision: Literal["confident", "review"]
    prediction_set: list[str]
    warnings: list[str]
    model_version: str
    training_match: Literal["same-file", "same-slice"] | None


class ResultAnswer(BaseModel):
    """What became of one image of a batch: a result or a problem."""

    index: int = Field(description="its place: as sent, a zip's files in the zip's order; names are not kept")
    image_sha256: str = Field(description="of the file, to tell which it was")
    status: int = Field(description="200, or that of the problem")
    result: ScoredAnswer | None = None
    problem: ResultProblem | None = None


class ResultPage(BaseModel):
    """Some results, in the order of the images."""

    items: list[ResultAnswer]
    next: int | None = Field(description="`after` of the next page; null where there is no further result so far")
