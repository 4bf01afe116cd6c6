"""What is wrong with bytes that a caller sent. Knows images, DICOM and archives by name only."""

from __future__ import annotations

from hilum.errors.root import HilumError


class InputRejected(HilumError):
    """The input cannot be used."""

    code, status, exit_code, title = "input-rejected", 422, 3, "The input cannot be used"


class EmptyFile(InputRejected):
    """The file has no bytes."""

    code, title = "empty-file", "The file is empty"


class UnsupportedMediaType(InputRejected):
    """The bytes are no format on the allow-list."""

    code, status, title = "unsupported-media-type", 415, "The file is of a kind hilum does not read"


class TrailingData(InputRejected):
    """Bytes follow the end of the image."""

    code, title = "trailing-data", "Something follows the end of the image"


class ImageCorrupt(InputRejected):
    """The image's structure or checksums are wrong."""

    code, title = "image-corrupt", "The image is damaged"


class ImageTruncated(InputRejected):
    """The image ends before its last row."""

    code, title = "image-truncated", "The image is cut short"


class ImageTooLarge(InputRejected):
    """The image has more bytes or pixels than the limit."""

    code, status, title = "image-too-large", 413, "The image is too large"


class ImageTooSmall(InputRejected):
    """The image has too few pixels to show a chest."""

    code, title = "image-too-small", "The image is too small"


class ImageBadAspect(InputRejected):
    """The image is far too long or too wide for an axial slice."""

    code, title = "image-bad-aspect", "The image's proportions are not those of a slice"


class ImageMultiFrame(InputRejected):
    """The file holds several images."""

    code, title = "image-multi-frame", "The file holds more than one image"


class PixelValuesInvalid(InputRejected):
    """The pixels are not finite grey values."""

    code, title = "pixel-values-invalid", "The pixel values cannot be interpreted"


class ColorModeUnsupported(InputRejected):
    """The colour mode has no documented conversion to grey."""

    code, title = "color-mode-unsupported", "The colour mode is not supported"


class DecodeTimeout(InputRejected):
    """Decoding would take longer than the limit."""

    code, title = "decode-timeout", "The image takes too long to decode"


class NotAChestCt(InputRejected):
    """The picture is something else than an axial chest CT slice.

    Attributes:
        reasons: why, each in a few words.
    """

    code, title = "not-a-chest-ct", "This does not look like a chest CT slice"

    def __init__(
        self, detail: str, *, reasons: tuple[str, ...] = (), limit: float | None = None, actual: float | None = None
    ) -> None:
        super().__init__(detail, limit=limit, actual=actual)
        self.reasons = reasons


class DicomCorrupt(InputRejected):
    """The DICOM data set cannot be parsed."""

    code, title = "dicom-corrupt", "The DICOM file is damaged"


class DicomTransferSyntax(InputRejected):
    """The transfer syntax is not on the allow-list."""

    code, status, title = "dicom-transfer-syntax", 415, "The DICOM transfer syntax is not supported"


class DicomDecodeFailed(InputRejected):
    """The compressed pixel data cannot be decoded."""

    code, title = "dicom-decode-failed", "The DICOM pixel data cannot be decoded"


class DicomInconsistent(InputRejected):
    """The DICOM attributes contradict each other or the pixel data."""

    code, title = "dicom-inconsistent", "The DICOM attributes contradict each other"


class DicomMultiFrame(InputRejected):
    """The DICOM file holds several frames."""

    code, title = "dicom-multi-frame", "The DICOM file holds more than one frame"


class DicomNoPixels(InputRejected):
    """The DICOM file is not an image."""

    code, title = "dicom-no-pixels", "The DICOM file has no image in it"


class DicomPhotometric(InputRejected):
    """The photometric interpretation is not that of a CT slice."""

    code, title = "dicom-photometric", "The DICOM photometric interpretation is not that of a CT slice"


class DicomRescale(InputRejected):
    """The rescale to Hounsfield units is missing or unusable."""

    code, title = "dicom-rescale", "The DICOM rescale to Hounsfield units is unusable"


class DicomModality(InputRejected):
    """The DICOM file is not an axial CT slice."""

    code, title = "dicom-modality", "The DICOM file is not an axial CT slice"


class ReportImpossible(InputRejected):
    """A DICOM report is asked for about slices that do not say who and what they are, or are of several studies."""

    code, title = "report-impossible", "No DICOM report can be written about this"


class ArchiveUnsafePath(InputRejected):
    """A member's name points outside the folder it would be extracted to."""

    code, title = "archive-unsafe-path", "The archive holds an unsafe path"


class ArchiveTooLarge(InputRejected):
    """The archive unpacks to more bytes than the limit."""

    code, status, title = "archive-too-large", 413, "The archive unpacks to too many bytes"


class ArchiveTooManyFiles(InputRejected):
    """The archive has more members than the limit."""

    code, status, title = "archive-too-many-files", 413, "The archive holds too many files"


class ArchiveOverlap(InputRejected):
    """Two members share the same bytes of the archive."""

    code, title = "archive-overlap", "The archive's members overlap"


class ArchiveCorrupt(InputRejected):
    """The archive's structure, sizes or checksums are wrong or ambiguous."""

    code, title = "archive-corrupt", "The archive is damaged"


class ArchiveNested(InputRejected):
    """The archive holds another archive."""

    code, title = "archive-nested", "The archive holds another archive"


class ArchiveSpecialFile(InputRejected):
    """The archive holds a link, a device or a pipe."""

    code, title = "archive-special-file", "The archive holds something that is no plain file"


class ArchiveEncrypted(InputRejected):
    """The archive is protected by a password."""

    code, title = "archive-encrypted", "The archive is encrypted"


class ArchiveUnsupportedMethod(InputRejected):
    """A member is compressed by a method other than stored and deflate."""

    code, title = "archive-unsupported-method", "The archive uses an unsupported compression method"


class ArchiveNoUsableImages(InputRejected):
    """The archive holds no image that can be used."""

    code, title = "archive-no-usable-images", "The archive holds no usable images"
