"""The shapes of answers about labelled images, as clients see them in OpenAPI. Knows no service."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hilum.web.values import Flag, LeftOut

_Text = StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$", strip_whitespace=True)


class UploadForm(BaseModel):
    """What is said of the files of an upload."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[str, _Text] | LeftOut = Field(default=None, description="the class of every file")
    group: Annotated[str, _Text] | LeftOut = Field(default=None, description="the patient or series of every file")
    new_classes: Flag = Field(default=False, description="take classes that nobody knows yet")


class UploadItem(BaseModel):
    """What became of one file."""

    index: int = Field(description="its place: as sent, a zip's files in the zip's order; names are not repeated")
    image_id: str | None = Field(description="of the labelled image, or of the one it repeats; null where refused")
    sha256: str = Field(description="of the file, to tell which it was")
    label: str | None = Field(description="its class; null where nothing names one")
    status: Literal["accepted", "duplicate", "quarantined", "refused"]
    code: str | None = Field(description="why, as docs/datasets.md lists them; null where it was simply accepted")
    reasons: list[str] = Field(description="the same in words")
    other_image_id: str | None = Field(
        default=None, description="of the labelled image that this one repeats, resembles or contradicts"
    )


class UploadReport(BaseModel):
    """What became of the files of an upload."""

    batch_id: str
    accepted: int
    duplicates: int
    quarantined: int
    refused: int
    items: list[UploadItem]


class DistributionRow(BaseModel):
    """How many images a class has in a split from a source."""

    class_name: str
    split: Literal["train", "test"]
    source: Literal["import", "upload", "feedback"]
    count: int


class ExampleAnswer(BaseModel):
    """An image that shows a finding."""

    image_id: str
    other_image_id: str | None = Field(description="of the image beside which it shows it; null where it stands alone")
    class_name: str
    detail: str


class FindingAnswer(BaseModel):
    """Something to know or mend."""

    code: str = Field(description="as docs/datasets.md lists them")
    severity: Literal["error", "warning", "note"]
    sentence: str
    examples: list[ExampleAnswer] = Field(description="the newest images that show it, where any do")


class SuggestionAnswer(BaseModel):
    """A prediction to confirm or correct next."""

    prediction_id: str
    reason: str


class DatasetAnswer(BaseModel):
    """The labelled images as a whole."""

    classes: list[str]
    distribution: list[DistributionRow] = Field(description="accepted images by class, split and source")
    quarantined: int = Field(description="images that wait for a person")
    since_last_run: int = Field(description="images accepted since a training run last froze them")
    findings: list[FindingAnswer] = Field(description="the gravest first")
    label_next: list[SuggestionAnswer] = Field(description="uncertain and diverse, the most telling first")


class ReasonAnswer(BaseModel):
    """Why an image is in quarantine, or doubted."""

    code: str
    detail: str
    image_id: str | None = Field(default=None, description="of the other image, where two contradict each other")


class ImageAnswer(BaseModel):
    """A labelled image."""

    id: str
    sha256: str = Field(description="of the file that was sent; its name is not kept")
    class_name: str
    group: str = Field(description="images of one group are never on both sides of a split")
    split: Literal["train", "test"]
    source: Literal["import", "upload", "feedback"]
    status: Literal["accepted", "quarantined", "deleted"]
    reasons: list[ReasonAnswer] = Field(description="why it is in quarantine, or doubted")
    batch_id: str = Field(description="the upload it came with")
    is_kept: bool = Field(description="whether its pixels are kept, so that it can be seen and released")
    width: int
    height: int
    added_at: datetime


class ImagePage(BaseModel):
    """Some labelled images, the newest first."""

    items: list[ImageAnswer]
    next: str | None = Field(description="the `cursor` of the next page; null on the last")


class ReleaseRequest(BaseModel):
    """What an image in quarantine shows."""

    model_config = ConfigDict(extra="forbid", strict=True)

    class_name: Annotated[str, _Text] | None = Field(default=None, description="another class than it came with")
