"""The shapes of answers, as clients see them in OpenAPI. Knows no service."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class LookAlikeAnswer(BaseModel):
    """A training slice that resembles the one asked about."""

    class_name: str = Field(description="the label it was trained with")
    name: str | None = Field(description="its path in the data set; null where the bundle keeps no names")
    source: str = Field(description="the data set it comes from")
    similarity: float = Field(
        description="cosine of the two slices' features: 1 for the same slice, about 0 for any two"
    )


class PredictionAnswer(BaseModel):
    """The model's answer for one slice. Research use only: not a diagnosis."""

    model_config = ConfigDict(
        protected_namespaces=(),
        json_schema_extra={
            "example": {
                "id": "0b9f5f0e-6d0c-4d8e-9d53-0c6f9a5f7f55",
                "predicted_class": "adenocarcinoma",
                "probabilities": {
                    "adenocarcinoma": 0.93,
                    "large_cell_carcinoma": 0.03,
                    "normal": 0.01,
                    "squamous_cell_carcinoma": 0.03,
                },
                "cancer_probability": 0.99,
                "decision": "confident",
                "prediction_set": ["adenocarcinoma"],
                "warnings": [],
                "model_version": "efficientnet-lite0-20260101-0123abcd",
                "latency_ms": 7.1,
                "training_match": None,
                "look_alikes": None,
                "stored": True,
            }
        },
    )

    id: str = Field(description="names the answer in the history")
    predicted_class: str = Field(description="the most probable class")
    probabilities: dict[str, float] = Field(description="calibrated, by class; they sum to 1")
    cancer_probability: float | None = Field(
        description="sum over the cancer classes; null where the model's classes name none, or nothing else"
    )
    decision: Literal["confident", "review"] = Field(
        description="`review`: the probability is below the operating point, the prediction set has more than one "
        "class, or the input is doubtful; a person decides"
    )
    prediction_set: tuple[str, ...] = Field(
        description="the classes that cannot be ruled out at the model's stated coverage (split conformal), most "
        "probable first; more than one makes the decision `review`"
    )
    warnings: tuple[str, ...] = Field(description="codes of what to know about the input, such as `body-not-found`")
    model_version: str = Field(description="the model bundle that answered")
    latency_ms: float = Field(description="from the first byte read to the answer, before it was stored")
    training_match: Literal["same-file", "same-slice"] | None = Field(
        description="whether the model was trained on this file, or (looked for only with `similar`) on this slice "
        "under another crop; null where not, or where the bundle keeps no list of its training slices"
    )
    look_alikes: tuple[LookAlikeAnswer, ...] | None = Field(
        description="the `similar` training slices most like this one, the most similar first; null unless asked for"
    )
    stored: bool = Field(
        default=False,
        description="the answer is on disk and can be found under its id; false where it is only known here",
    )


class PredictionRecord(BaseModel):
    """A prediction of the history."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    created_at: datetime = Field(description="when it was stored, in UTC")
    image_sha256: str = Field(description="of the file that was sent; neither its name nor its metadata is kept")
    image_kept: bool = Field(description="whether the image's pixels are kept, and the answer can be explained")
    predicted_class: str
    decision: str
    model_version: str
    latency_ms: float
    confirmed_class: str | None = Field(description="what a person confirmed the slice to show; null where nobody did")
    answer: dict[str, Any] = Field(description="the answer as it was given, by the version of hilum that gave it")


class PredictionPage(BaseModel):
    """Some predictions, the newest first."""

    items: list[PredictionRecord]
    next: str | None = Field(description="the `cursor` of the next page; null on the last")


class FeedbackRequest(BaseModel):
    """What a person confirmed a slice to show."""

    model_config = ConfigDict(extra="forbid", strict=True)

    confirmed_class: str = Field(min_length=1, max_length=64, description="a class of the model's, or a new label")
    is_new_label: bool = Field(
        default=False, description="take a label the model does not know: lower-case letters, digits and underscores"
    )


class FeedbackAnswer(BaseModel):
    """What is kept of a feedback: the slice becomes a labelled candidate."""

    prediction_id: str
    confirmed_class: str
    is_new_label: bool
    given_at: datetime


class ReceiptAnswer(BaseModel):
    """All that is needed to make a prediction again, and to notice where that gives another answer."""

    schema_version: Literal[1] = 1
    id: str
    created_at: datetime
    image_sha256: str = Field(description="of the file that was sent")
    kept_sha256: str | None = Field(description="of the copy of its pixels that is kept here; null where none is")
    provenance: dict[str, Any] = Field(
        description="`model` (version, sha256 of its manifest and files), `preprocessing_sha256`, `versions`, `machine`"
    )
    answer: dict[str, Any] = Field(description="the answer as it was given")


class SignInRequest(BaseModel):
    """A key to sign in with."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: str = Field(min_length=1, max_length=200, description="an API key, as `hilum keys create` printed it")


class BodyBox(BaseModel):
    """Where the patient's body was found, in pixels of the slice; half-open."""

    top: int
    bottom: int
    left: int
    right: int


class SliceSize(BaseModel):
    """The slice's size in pixels."""

    height: int
    width: int


class ExplanationAnswer(BaseModel):
    """The class activation map behind an answer."""

    id: str
    predicted_class: str = Field(description="the class whose activation the grid shows")
    grid: list[list[float]] = Field(description="rows of activations over the body's box, scaled so the peak is 1")
    body: BodyBox
    slice: SliceSize


class HealthAnswer(BaseModel):
    """How the service is, for a person."""

    model_config = ConfigDict(protected_namespaces=())

    status: Literal["ok", "degraded"]
    model_version: str | None
    has_gate: bool | None = Field(description="whether pictures that are no chest CT are refused; null without a model")
    versions: dict[str, str]
    uptime_s: float
    degraded_reasons: tuple[str, ...]


class StatusAnswer(BaseModel):
    """A probe's answer."""

    status: Literal["ok"] = "ok"


class LimitsAnswer(BaseModel):
    """The limits in force."""

    predict_body_bytes: int
    batch_body_bytes: int
    batch_files: int
    batch_unpacked_bytes: int
    dataset_body_bytes: int
    dataset_files: int
    scoring_body_bytes: int = Field(description="of a body of `POST /batches`")
    scoring_files: int
    study_body_bytes: int
    study_files: int
    study_unpacked_bytes: int
    file_bytes: int
    pixels: int
    min_side: int
    max_side: int
    max_aspect: float
    multipart_parts: int
    multipart_header_bytes: int
    multipart_field_bytes: int
    upload_grace_s: float
    upload_bytes_per_s: int
    predictions_at_once: int
    predictions_waiting: int
    predictions_kept: int
    look_alikes: int = Field(description="the most that `similar` may ask for; 0 where the model names none")


class ProblemAnswer(BaseModel):
    """An RFC 9457 problem document."""

    type: str = Field(description="where this kind of problem is documented")
    title: str
    status: int
    detail: str = Field(description="what is wrong with this request, and what to do")
    instance: str = Field(description="the request's id, as in X-Request-ID")
    code: str = Field(description="the last part of `type`")
    limit: float | None = Field(default=None, description="the limit that was passed")
    actual: float | None = Field(default=None, description="the value received")
    retry_after: int | None = Field(default=None, description="seconds after which trying again makes sense")
    reasons: list[str] | None = Field(default=None, description="why a picture is not taken for a chest CT, in words")


class BatchItem(BaseModel):
    """What became of one file of a batch: a result or a problem."""

    index: int = Field(description="its place: as sent, a zip's files in the zip's order; names are not repeated")
    image_sha256: str = Field(description="of the file, to tell which it was")
    status: int = Field(description="the status the file alone would have been answered with")
    result: PredictionAnswer | None = None
    problem: ProblemAnswer | None = None


class BatchAnswer(BaseModel):
    """What became of the files of a batch."""

    items: list[BatchItem]
    answered: int = Field(description="files with a result")
    refused: int = Field(description="files with a problem")


class ProblemTypeAnswer(BaseModel):
    """What a problem type means."""

    slug: str
    title: str
    status: int
    meaning: str
    remedy: str
