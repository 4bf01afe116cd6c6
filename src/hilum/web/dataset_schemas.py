"""The shapes of answers about labelled images, as clients see them in OpenAPI. Knows no service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_Text = StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$", strip_whitespace=True)


class UploadForm(BaseModel):
    """What is said of the files of an upload."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[str, _Text] | None = Field(default=None, description="the class of every file")
    group: Annotated[str, _Text] | None = Field(default=None, description="the patient or series of every file")
    new_classes: bool = Field(default=False, description="take classes that nobody knows yet")


class UploadItem(BaseModel):
    """What became of one file."""

    index: int = Field(description="its place: as sent, a zip's files in the zip's order; names are not repeated")
    image_id: str | None = Field(description="of the labelled image, or of the one it repeats; null where refused")
    sha256: str = Field(description="of the file, to tell which it was")
    label: str | None = Field(description="its class; null where nothing names one")
    status: Literal["accepted", "duplicate", "quarantined", "refused"]
    code: str | None = Field(description="why, as docs/datasets.md lists them; null where it was simply accepted")
    reasons: list[str] = Field(description="the same in words")


class UploadReport(BaseModel):
    """What became of the files of an upload."""

    batch_id: str
    accepted: int
    duplicates: int
    quarantined: int
    refused: int
    items: list[UploadItem]
