"""The errors hilum raises on purpose, each with a code, an HTTP status and an exit code. Knows no framework.

HilumError
├── InputRejected            the caller's bytes cannot be used              exit 3
│   ├── EmptyFile            UnsupportedMediaType   TrailingData
│   ├── Image…               Corrupt Truncated TooLarge TooSmall BadAspect MultiFrame
│   ├── PixelValuesInvalid   ColorModeUnsupported   DecodeTimeout   NotAChestCt
│   ├── Dicom…               Corrupt TransferSyntax DecodeFailed Inconsistent MultiFrame NoPixels Photometric
│   │                        Rescale Modality
│   ├── ReportImpossible     a report cannot name what it is about
│   └── Archive…             UnsafePath TooLarge TooManyFiles Overlap Corrupt Nested SpecialFile Encrypted
│                            UnsupportedMethod NoUsableImages
├── DatasetInvalid           a data set that cannot be read or trained on   exit 4
│   └── Dataset…             NotFound Empty ClassCollision GroupsInvalid SourceUnavailable ManifestInvalid
├── BundleInvalid            a model bundle that must not be served         exit 5
├── ServiceRefused           the service cannot answer this now
│   └── NotReady             Overloaded   PredictionNotFound   MetricsMissing   LookAlikesMissing
│       HistoryUnavailable   HistoryOff   ImageNotKept   ModelChanged   LabelInvalid   CursorInvalid
│       TrainingUnavailable   TrainingDataInsufficient   RetrainInProgress   RunNotFound
│       RunNotAwaiting
│       DatasetUnavailable   UploadBatchNotFound   LabelledImageNotFound   SnapshotNotFound   ImageStateConflict
│       TestSetFrozen   HoldoutImage   ImagesNotTaken   DatasetFull
│       Registry…            Unavailable Off   HounsfieldMissing
├── RegistryRefused          what was asked of the registry cannot be done   exit 5
│   └── ModelNotFound        ModelConflict   ChampionMoved   NothingToRollBackTo
├── AccessRefused            who asks is unknown, or may not, or asks too often
│   └── CredentialsMissing   KeyInvalid   RoleInsufficient   RateLimited   AccessUnavailable
├── StorageInvalid           state that cannot be reached or trusted        exit 7
│   ├── Database…            Unsupported Unavailable Outdated
│   ├── Blob…                StoreUnsupported StoreUnavailable Missing Corrupt
│   └── Backup…              Failed Invalid   RestoreRefused   AuditLogBroken
├── ReplayFailed             a receipt's answer was not reproduced          exit 8
├── SettingsRefused          settings that would be unsafe to serve with    exit 2
└── TrainingFailed           training could not start or finish             exit 6
    └── RunCancelled         LeaseLost
"""

from __future__ import annotations

from typing import ClassVar


class HilumError(Exception):
    """Something hilum refuses, said so that a person can act on it.

    Attributes:
        code: stable slug, the last part of the problem type's URL.
        status: HTTP status.
        exit_code: exit status of the command line.
        limit, actual: the limit that was passed and the value received, where there is one.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    title: ClassVar[str] = "Error"

    def __init__(self, detail: str, *, limit: float | None = None, actual: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.limit = limit
        self.actual = actual


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


class DatasetInvalid(HilumError):
    """The data set cannot be read or trained on."""

    code, status, exit_code, title = "dataset-invalid", 422, 4, "The data set cannot be used"


class DatasetNotFound(DatasetInvalid):
    """Nothing is at the path given."""

    code, status, title = "dataset-not-found", 404, "The data set does not exist"


class DatasetEmpty(DatasetInvalid):
    """No usable image lies in a class folder."""

    code, title = "dataset-empty", "The data set holds no usable images"


class DatasetClassCollision(DatasetInvalid):
    """Two folders of one split have the same class name once normalised."""

    code, title = "dataset-class-collision", "Two folders name the same class"


class DatasetGroupsInvalid(DatasetInvalid):
    """The groups file cannot be read or names images that are not there."""

    code, title = "dataset-groups-invalid", "The groups file cannot be used"


class DatasetSourceUnavailable(DatasetInvalid):
    """The data set cannot be fetched from where it is published."""

    code, status, title = "dataset-source-unavailable", 502, "The data set cannot be fetched"


class DatasetManifestInvalid(DatasetInvalid):
    """The manifest's file is no manifest this version reads."""

    code, title = "dataset-manifest-invalid", "The data set's manifest cannot be read"


class BundleInvalid(HilumError):
    """The model bundle is damaged or does not answer as it did when it was made."""

    code, status, exit_code, title = "model-unavailable", 503, 5, "The model cannot be served"


class TrainingFailed(HilumError):
    """Training could not start or finish."""

    code, status, exit_code, title = "training-failed", 500, 6, "Training failed"


class RunCancelled(TrainingFailed):
    """Someone asked for the training run's end."""

    code, title = "run-cancelled", "The training run is cancelled"


class LeaseLost(TrainingFailed):
    """Another worker has the training run."""

    code, title = "lease-lost", "The training run is another worker's"


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

    code, title, retry_after = "history-unavailable", "The history cannot be reached", 2


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


class TrainingUnavailable(ServiceRefused):
    """Nothing can be trained here at present."""

    code, title = "training-unavailable", "Training is not available here"


class TrainingDataInsufficient(ServiceRefused):
    """There are too few labelled images to train on."""

    code, status, exit_code, title = "training-data-insufficient", 409, 4, "The labelled images do not suffice"


class RetrainInProgress(ServiceRefused):
    """Another training run is queued or running.

    Attributes:
        run_id: that run's.
    """

    code, status, exit_code, title = "retrain-in-progress", 409, 6, "A training run is under way"

    def __init__(self, detail: str, run_id: str) -> None:
        super().__init__(detail)
        self.run_id = run_id


class RunNotAwaiting(ServiceRefused):
    """A run that awaits nobody's decision was to be declined."""

    code, status, title = "run-not-awaiting", 409, "The training run awaits no decision"


class RunNotFound(ServiceRefused):
    """No training run has this id."""

    code, status, title = "run-not-found", 404, "There is no such training run"


class BatchNotFound(ServiceRefused):
    """No batch has this id."""

    code, status, title = "batch-not-found", 404, "There is no such batch"


class BatchUnavailable(ServiceRefused):
    """No model can score a batch yet, or the database or the store of bytes does not answer."""

    code, title, retry_after = "batch-unavailable", "Batches cannot be taken or read now", 2


class BatchActive(ServiceRefused):
    """The batch has not ended."""

    code, status, title = "batch-active", 409, "The batch is being scored"


class BatchItemFailed(ServiceRefused):
    """Scoring the image failed for a reason that the image's own checks did not find."""

    code, status, title = "batch-item-failed", 422, "The image could not be scored"


class RegistryUnavailable(ServiceRefused):
    """The database that knows the models, or the store of their files, does not answer; predictions are made."""

    code, title, retry_after = "registry-unavailable", "The registry cannot be reached", 2


class RegistryOff(ServiceRefused):
    """This server keeps no state, so it knows the one model it serves."""

    code, status, title = "registry-off", 404, "No registry is kept here"


class RegistryRefused(HilumError):
    """What was asked of the registry of models cannot be done."""

    code, status, exit_code, title = "registry-refused", 409, 5, "The registry refuses"


class ModelNotFound(RegistryRefused):
    """No model of this version is registered."""

    code, status, title = "model-not-found", 404, "There is no such model"


class ModelConflict(RegistryRefused):
    """A model of this version is registered already, with other files."""

    code, title = "model-conflict", "Another model has this version"


class ChampionMoved(RegistryRefused):
    """Another model is the champion than the one that was expected."""

    code, title = "champion-moved", "The champion is another by now"


class NothingToRollBackTo(RegistryRefused):
    """There was no champion before this one."""

    code, title = "nothing-to-roll-back-to", "There is no earlier champion"


class DatasetUnavailable(ServiceRefused):
    """The database or the store of labelled images does not answer."""

    code, title, retry_after = "dataset-unavailable", "The labelled images cannot be reached", 2


class ImagesNotTaken(ServiceRefused):
    """This server keeps no images, so it takes no labelled ones."""

    code, status, title = "images-not-taken", 409, "No labelled images are taken here"


class DatasetFull(ServiceRefused):
    """The disk that labelled images are kept on is full; nothing of the upload is kept."""

    code, status, title, retry_after = "dataset-full", 507, "There is no room for labelled images", 60


class UploadBatchNotFound(ServiceRefused):
    """No upload has this id."""

    code, status, title = "upload-batch-not-found", 404, "There is no such upload"


class LabelledImageNotFound(ServiceRefused):
    """No labelled image has this id."""

    code, status, title = "labelled-image-not-found", 404, "There is no such labelled image"


class SnapshotNotFound(ServiceRefused):
    """No dataset snapshot has this digest."""

    code, status, exit_code, title = "snapshot-not-found", 404, 4, "There is no such dataset snapshot"


class ImageStateConflict(ServiceRefused):
    """What is asked of the labelled image does not fit its state, or that of a twin."""

    code, status, title = "image-state-conflict", 409, "The image's state does not allow this"


class TestSetFrozen(ServiceRefused):
    """The test set would change, by which all models are compared."""

    __test__: ClassVar[bool] = False  # pytest would collect it by its name

    code, status, title = "test-set-frozen", 409, "The test set is frozen"


class HoldoutImage(ServiceRefused):
    """The image, or another crop of it, is in the test set, which nothing is trained on."""

    code, status, title = "holdout-image", 409, "The image is in the test set"


class AccessRefused(HilumError):
    """Who asks is unknown, or may not do this, or asks too often.

    Attributes:
        challenge: the answer's WWW-Authenticate (RFC 6750, section 3); None where credentials are not at fault.
    """

    code, status, title = "access-refused", 401, "Access is refused"
    challenge: ClassVar[str | None] = 'Bearer realm="hilum"'


class CredentialsMissing(AccessRefused):
    """The request carries no API key, and no session that still runs."""

    code, title = "credentials-missing", "An API key is needed"


class KeyInvalid(AccessRefused):
    """The API key is unknown, expired or revoked."""

    code, title = "key-invalid", "The API key is not valid"
    challenge = 'Bearer realm="hilum", error="invalid_token"'


class RoleInsufficient(AccessRefused):
    """The API key's role does not reach as far as this."""

    code, status, title = "role-insufficient", 403, "The API key may not do this"
    challenge = 'Bearer realm="hilum", error="insufficient_scope"'


class RateLimited(AccessRefused):
    """More requests came with one API key, or more invalid keys from one place, than the limit.

    Attributes:
        retry_after: seconds after which the next request is taken.
    """

    code, status, title = "rate-limited", 429, "Too many requests"
    challenge = None

    def __init__(self, detail: str, *, retry_after: int, limit: float | None = None) -> None:
        super().__init__(detail, limit=limit)
        self.retry_after = retry_after


class AccessUnavailable(AccessRefused):
    """The database that knows the keys does not answer."""

    code, status, title = "access-unavailable", 503, "Keys cannot be checked"
    challenge = None
    retry_after: ClassVar[int | None] = 2


class StorageInvalid(HilumError):
    """State that cannot be reached or trusted."""

    code, status, exit_code, title = "storage-invalid", 503, 7, "The state cannot be used"


class DatabaseUnsupported(StorageInvalid):
    """The address names no database hilum can use."""

    code, title = "database-unsupported", "The database is of a kind hilum does not use"


class DatabaseUnavailable(StorageInvalid):
    """The database does not answer, or refuses."""

    code, title = "database-unavailable", "The database cannot be used"


class DatabaseOutdated(StorageInvalid):
    """The database has another revision than this version of hilum needs."""

    code, title = "database-outdated", "The database has another revision"


class BlobStoreUnsupported(StorageInvalid):
    """The address names no store hilum can use."""

    code, title = "blob-store-unsupported", "The store of images is of a kind hilum does not use"


class BlobStoreUnavailable(StorageInvalid):
    """The store of images does not answer, or refuses."""

    code, title = "blob-store-unavailable", "The store of images cannot be used"


class DiskFull(StorageInvalid):
    """The disk of the database or of the store of bytes is full; what was to be kept is not."""

    code, status, title = "disk-full", 507, "The disk is full"


class BlobMissing(StorageInvalid):
    """No bytes are kept under this hash."""

    code, title = "blob-missing", "The image is missing"


class BlobCorrupt(StorageInvalid):
    """The bytes kept under this hash are not those that were kept."""

    code, title = "blob-corrupt", "The kept image is damaged"


class BackupFailed(StorageInvalid):
    """The backup could not be made or restored."""

    code, title = "backup-failed", "The backup failed"


class BackupInvalid(StorageInvalid):
    """The file is no backup, or is damaged."""

    code, title = "backup-invalid", "The backup cannot be used"


class RestoreRefused(StorageInvalid):
    """There is state already, which restoring would overwrite."""

    code, title = "restore-refused", "There is state already"


class AuditLogBroken(StorageInvalid):
    """An event of the audit log was changed, deleted or moved."""

    code, title = "audit-log-broken", "The audit log is not what was written"


class ReplayFailed(HilumError):
    """A receipt's answer was not reproduced."""

    code, exit_code, title = "replay-failed", 8, "The answer was not reproduced"


class SettingsRefused(HilumError):
    """The settings would make an unsafe service."""

    code, exit_code, title = "settings-refused", 2, "The settings are refused"
