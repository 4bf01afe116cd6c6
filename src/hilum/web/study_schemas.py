"""What `/predict/study` answers. Shapes only."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from hilum.web.schemas import BatchItem


class AggregateAnswer(BaseModel):
    """What the slices of one series say together: a rule over single slices, not calibrated on studies."""

    slices: int = Field(description="that were answered")
    used: int = Field(
        description="what they rest on: the most suspicious tenth, at least three; all where no class is a cancer"
    )
    cancer_probability: float | None = Field(
        description="mean over those; null where the model's classes name no cancer"
    )
    probabilities: dict[str, float] = Field(description="by class, means over those")
    mean_probabilities: dict[str, float] = Field(description="by class, means over all slices")
    predicted_class: str = Field(description="the most probable of `probabilities`")
    most_suspicious: tuple[int, ...] = Field(description="`index` of those slices, the most suspicious first")
    decision: Literal["review"] = Field(default="review", description="always: a person decides about a study")


class SeriesPart(BaseModel):
    """The slices of one series of one patient."""

    order: tuple[int, ...] = Field(description="`index` of its slices, from the lowest position to the highest")
    positions_mm: tuple[float | None, ...] = Field(description="of each, in that order; null where it is not known")
    warnings: tuple[str, ...] = Field(
        description="`order-unknown`, `duplicate-positions`, `gaps`, `duplicate-instance-numbers`, `mixed-thickness`"
    )
    aggregate: AggregateAnswer


class StudyAnswerBody(BaseModel):
    """What became of the slices of a study."""

    series: tuple[SeriesPart, ...] = Field(description="by patient and series, the largest first")
    warnings: tuple[str, ...] = Field(description="`several-patients`, `several-series`, `slices-refused`")
    items: list[BatchItem] = Field(description="each slice's result or problem, as sent")
    answered: int = Field(description="slices with a result")
    refused: int = Field(description="slices with a problem")
