"""The shapes of models, as clients see them in OpenAPI. Knows no service."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ModelAnswer(BaseModel):
    """A registered model."""

    version: str
    created_at: datetime = Field(description="when it was registered, in UTC")
    aliases: list[str] = Field(description="`champion` serves, `challenger` may be next")
    parent_version: str | None = Field(description="the model it was trained from")
    run_id: str | None = Field(description="the training run that made it")
    snapshot_digest: str | None = Field(description="the frozen images it was trained on")
    code_version: str = Field(description="the commit of the code that made it")
    headline: dict[str, Any] | None = Field(
        description="`accuracy` and `macro_f1` with their 95 % intervals, and `n`; null where it was not measured"
    )
    is_served: bool = Field(description="whether this server answers with it")


class ModelDetail(ModelAnswer):
    """A registered model with its documents."""

    manifest: dict[str, Any] = Field(description="what the bundle says of itself")
    metrics: dict[str, Any] | None = Field(
        description="what was measured of it, as `GET /metrics` tells of the champion"
    )
    card: str | None = Field(description="the model card in Markdown")
    report: dict[str, Any] | None = Field(description="how it compared with the champion of its time")
    files: dict[str, str] = Field(description="sha256 of each of its files")


class ModelList(BaseModel):
    """Every registered model, the newest first."""

    items: list[ModelAnswer]
    shadow: dict[str, Any] | None = Field(
        description="how often the challenger would have said otherwise, on this server: `version`, `since`, "
        "`compared`, `disagreed`, `refused`, `skipped`, `disagreement` with its 95 % interval, `trouble`; null without "
        "a challenger"
    )
    rollback_to: str | None = Field(description="the champion that `POST /models/rollback` brings back")


class PromoteRequest(BaseModel):
    """What a promotion expects; all of it may be left out."""

    model_config = ConfigDict(extra="forbid", strict=True)

    expected_champion: str | None = Field(
        default=None, max_length=128, description="refuse with `champion-moved` where another model is the champion"
    )
