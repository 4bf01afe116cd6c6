"""What `/monitoring` answers. Shapes only."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class StatisticDriftAnswer(BaseModel):
    """How far one statistic of the inputs has moved."""

    name: str = Field(description="such as `grey_median` or `lung_level` (docs/monitoring.md)")
    psi: float = Field(description="population stability index over the training slices' deciles")
    ks: float = Field(description="Kolmogorov-Smirnov distance, 0 to 1")
    reference_median: float
    recent_median: float
    is_alert: bool = Field(description="above the threshold, and above what chance explains")


class ClassDriftAnswer(BaseModel):
    """How far the predicted classes have moved."""

    psi: float
    reference: dict[str, float] = Field(description="shares of the training slices, by the class the model gives them")
    recent: dict[str, float] = Field(description="shares of recent predictions of the model that serves")
    n: int
    is_alert: bool


class DriftAnswer(BaseModel):
    """How recent inputs and predictions differ from the training ones."""

    model_config = ConfigDict(protected_namespaces=())

    status: Literal["no-reference", "too-few", "steady", "drift"] = Field(
        description="`no-reference`: the served bundle does not describe its training inputs; `too-few`: fewer than 50"
    )
    model_version: str
    threshold: float = Field(description="of the population stability index: HILUM_DRIFT_ALERT")
    window: int = Field(description="so many predictions are looked at, the newest: HILUM_DRIFT_WINDOW")
    n: int = Field(description="of them, those whose inputs are described")
    since: datetime | None
    until: datetime | None
    reference_n: int | None = Field(description="training slices they are compared with")
    inputs: tuple[StatisticDriftAnswer, ...]
    predictions: ClassDriftAnswer | None
    alerts: tuple[str, ...] = Field(description="what moved: names of statistics, `predicted_class`")
