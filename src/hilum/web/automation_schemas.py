"""The shapes of automatic retraining, as clients see them in OpenAPI. Knows no service."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hilum.web.values import WHOLE


class AutomationRequest(BaseModel):
    """When to retrain, and what to do then; a trigger that is null or left out is off."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)

    after_images: Annotated[int, Field(ge=1, le=1_000_000), WHOLE] | None = Field(
        default=None, description="so many labelled images are new since the last run"
    )
    every_hours: float | None = Field(
        default=None, gt=0, le=87_600, description="so long ago the last run was asked for"
    )
    drift: float | None = Field(
        default=None, gt=0, le=100, description="the largest population stability index of recent inputs reaches this"
    )
    corrections: float | None = Field(
        default=None, gt=0, le=1, description="this share of the predictions judged since the last run was corrected"
    )
    action: Literal["off", "suggest", "run"] = Field(
        default="off", description="do nothing, say so here, or start a run with the default settings"
    )


class TriggerAnswer(BaseModel):
    """What a trigger says now."""

    name: str
    value: float | None = Field(description="null where nothing can be said: no reference, or fewer than 20 judged")
    threshold: float | None = Field(description="null where the trigger is off")
    is_due: bool


class AutomationAnswer(AutomationRequest):
    """How retraining is automated, and how things stand."""

    triggers: list[TriggerAnswer]
    new_images: int = Field(description="labelled images since the last run; without any, nothing is due")
    outcome: dict[str, Any] | None = Field(
        description="what the last look that found something due led to: `at`, `triggers`, `did` (`suggested`, "
        "`started` or `failed`), and `run_id` or `reason`"
    )
