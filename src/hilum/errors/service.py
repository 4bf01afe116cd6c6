"""What a server cannot answer now, or not at all. Knows no HTTP."""

from __future__ import annotations

from typing import ClassVar

from hilum.errors.root import HilumError


class ServiceRefused(HilumError):
    """The service cannot answer this request now, whatever the input.

    Attributes:
        retry_after: seconds after which trying again makes sense; None where it never does.
    """

    code, status, title = "service-refused", 503, "The service cannot answer now"
    retry_after: ClassVar[int | None] = None


class NotReady(ServiceRefused):
    """The model is still being loaded and checked, or the server is shutting down."""

    code, title, retry_after = "not-ready", "The service is not ready", 1


class Overloaded(ServiceRefused):
    """More requests wait than the limit."""

    code, title, retry_after = "overloaded", "The service is busy", 1


class PredictionNotFound(ServiceRefused):
    """No recent prediction has this id."""

    code, status, title = "prediction-not-found", 404, "There is no such prediction"


class MetricsMissing(ServiceRefused):
    """The served model's bundle holds no measured performance."""

    code, status, title = "metrics-missing", 404, "The model's performance was not measured"


class LookAlikesMissing(ServiceRefused):
    """The served model's bundle holds no list of its training slices."""

    code, status, exit_code, title = "look-alikes-missing", 409, 5, "The model knows no look-alikes"


class HistoryUnavailable(ServiceRefused):
    """The database or the store of images does not answer; predictions are made all the same."""

    code, exit_code, title, retry_after = "history-unavailable", 7, "The history cannot be reached", 2


class HistoryOff(ServiceRefused):
    """This server keeps no history."""

    code, status, title = "history-off", 404, "No history is kept here"


class ImageNotKept(ServiceRefused):
    """The prediction is kept, its image is not."""

    code, status, title = "image-not-kept", 410, "The image is not kept"


class ModelChanged(ServiceRefused):
    """Another model answered than the one that serves now."""

    code, status, title = "model-changed", 409, "Another model is being served"


class HounsfieldMissing(ServiceRefused):
    """The image is no DICOM slice whose values are Hounsfield units."""

    code, status, title = "hounsfield-missing", 409, "The image has no Hounsfield units"


class LabelInvalid(ServiceRefused):
    """The confirmed class is neither one the model knows nor a new label."""

    code, status, title = "label-invalid", 422, "The label cannot be taken"


class CursorInvalid(ServiceRefused):
    """The cursor is not one that a page named."""

    code, status, title = "cursor-invalid", 422, "The cursor is invalid"


class BatchNotFound(ServiceRefused):
    """No batch has this id."""

    code, status, exit_code, title = "batch-not-found", 404, 2, "There is no such batch"


class BatchUnavailable(ServiceRefused):
    """No model can score a batch yet, or the database or the store of bytes does not answer."""

    code, exit_code, title, retry_after = "batch-unavailable", 7, "Batches cannot be taken or read now", 2


class BatchActive(ServiceRefused):
    """The batch has not ended."""

    code, status, title = "batch-active", 409, "The batch is being scored"


class BatchItemFailed(ServiceRefused):
    """Scoring the image failed for a reason that the image's own checks did not find."""

    code, status, title = "batch-item-failed", 422, "The image could not be scored"
