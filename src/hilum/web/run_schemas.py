"""The shapes of training runs, as clients see them in OpenAPI. Knows no service."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hilum.services.run_rules import RunStatus
from hilum.web.values import WHOLE


class RetrainRequest(BaseModel):
    """What a training run is to do; all of it may be left out."""

    model_config = ConfigDict(extra="forbid", strict=True)

    mode: Literal["head", "full"] = Field(
        default="head",
        description="`head` learns the linear head in minutes, `full` every weight in hours on few cores",
    )
    epochs: Annotated[int, Field(ge=1, le=500), WHOLE] | None = Field(
        default=None, description="at the most; by default the mode's"
    )
    note: str = Field(default="", max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$", description="why, in your words")
    policy: Literal["auto", "approve", "manual"] | None = Field(
        default=None, description="who decides on the promotion; by default HILUM_PROMOTION"
    )


class EpochAnswer(BaseModel):
    """What one epoch came to."""

    epoch: int
    loss: float | None = None
    accuracy: float | None = None
    val_loss: float | None = Field(default=None, description="on the held-out part of the training images")
    val_accuracy: float | None = None


class RunAnswer(BaseModel):
    """A training run."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    status: RunStatus
    mode: Literal["head", "full"]
    policy: Literal["auto", "approve", "manual"]
    note: str
    created_at: datetime
    started_at: datetime | None = Field(description="when a worker took it")
    ended_at: datetime | None
    stage: str | None = Field(description="what it is at, such as `read`, `fit` or `compare`")
    progress: float = Field(description="share done, 0 to 1")
    seconds_left: float | None = Field(description="as far as can be told; null before that, and at the end")
    epochs: list[EpochAnswer]
    snapshot_digest: str = Field(description="sha256 of the manifest of the images it learns from")
    n_images: int = Field(description="images it may learn from")
    parent_version: str | None = Field(description="the model it started from")
    model_version: str | None = Field(description="the model it made, once that is registered")
    cancel_requested_at: datetime | None
    report: dict[str, Any] | None = Field(description="of the comparison with the champion")
    failure: str | None = Field(description="why it failed, in words")


class RunPage(BaseModel):
    """Some runs, the newest first."""

    items: list[RunAnswer]
    next: str | None = Field(description="the `cursor` of the next page; null on the last")
