"""Requests refused before any service sees them: HTTP and multipart. Knows nothing of images or models."""

from __future__ import annotations

from typing import ClassVar

from hilum.errors import HilumError


class RequestRefused(HilumError):
    """The request is not one this server answers."""

    code, status, title = "request-refused", 400, "The request is refused"


class BadRequest(RequestRefused):
    """The request breaks HTTP or this API's rules."""

    code, title = "bad-request", "The request is malformed"


class NotFound(RequestRefused):
    """Nothing answers at this address."""

    code, status, title = "not-found", 404, "There is nothing here"


class MethodNotAllowed(RequestRefused):
    """The address answers to other methods only."""

    code, status, title = "method-not-allowed", 405, "The method is not allowed here"


class RequestInvalid(RequestRefused):
    """A parameter has a value this API does not take."""

    code, status, title = "request-invalid", 422, "A parameter is invalid"


class InternalError(RequestRefused):
    """The server failed; the log says how, under the request's id."""

    code, status, title = "internal-error", 500, "The server failed"


class HostNotAllowed(RequestRefused):
    """The Host header names a server this is not."""

    code, title = "host-not-allowed", "This host name is not served"


class CrossSite(RequestRefused):
    """A page of another site asked the browser to do this."""

    code, status, title = "cross-site", 403, "The request comes from another site"


class KeyInQuery(RequestRefused):
    """An API key stands in the address."""

    code, title = "key-in-query", "The API key must not be in the address"


class BodyTooLarge(RequestRefused):
    """The request's body is larger than the limit."""

    code, status, title = "body-too-large", 413, "The upload is too large"


class UploadTimeout(RequestRefused):
    """The body arrived too slowly."""

    code, status, title = "upload-timeout", 408, "The upload took too long"


class ContentEncodingRefused(RequestRefused):
    """The body is compressed."""

    code, status, title = "content-encoding", 415, "Compressed uploads are not read"


class NotMultipart(RequestRefused):
    """The body is not multipart/form-data."""

    code, status, title = "not-multipart", 415, "The upload is not multipart/form-data"


class NotJson(RequestRefused):
    """The body is not JSON."""

    code, status, title = "not-json", 415, "The body is not JSON"


class MultipartMalformed(RequestRefused):
    """The multipart body breaks RFC 7578."""

    code, title = "multipart-malformed", "The multipart body is malformed"


class MultipartLimits(RequestRefused):
    """The multipart body has more or larger parts than the limit."""

    code, title = "multipart-limits", "The multipart body has too many or too large parts"


class FileMissing(RequestRefused):
    """No part of the name that is read holds a file."""

    code, status, title = "file-missing", 422, "There is no file in the upload"


class TooManyFiles(RequestRefused):
    """More files were sent than are taken at once."""

    code, status, title = "too-many-files", 422, "There are too many files in the upload"


class TooManyUploads(RequestRefused):
    """Uploads under way fill the memory set aside for them."""

    code, status, title = "too-many-uploads", 503, "Too much is being uploaded at once"
    retry_after: ClassVar[int | None] = 2


class InsufficientStorage(RequestRefused):
    """The disk that uploads pass through is full."""

    code, status, title = "insufficient-storage", 507, "There is no room for the upload"


class BodyIncomplete(RequestRefused):
    """The body is cut short or wrongly framed, or the client went away."""

    code, title = "body-incomplete", "The body is not whole"
