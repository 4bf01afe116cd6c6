"""What `/metrics/answers` answers. Shapes only."""

from __future__ import annotations

from pydantic import BaseModel, Field


class MeasuredImage(BaseModel):
    """One image of the test set, and what the served model answered it."""

    sha256: str = Field(description="of its file; its name is not kept")
    image_id: str | None = Field(description="of the labelled image, where this server has it; null where not")
    true_class: str
    predicted_class: str
    probabilities: dict[str, float]


class MeasuredImages(BaseModel):
    """The images of one cell of the confusion matrix."""

    model_version: str
    split: str = Field(description="that was measured")
    total: int = Field(description="images of the cell; `items` has at most `limit` of them")
    items: list[MeasuredImage] = Field(description="the surest answers first")
