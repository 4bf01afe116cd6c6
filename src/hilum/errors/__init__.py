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
│       RunNotAwaiting   RunsUnavailable
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

from hilum.errors.access import (
    AccessRefused,
    AccessUnavailable,
    CredentialsMissing,
    KeyInvalid,
    RateLimited,
    RoleInsufficient,
)
from hilum.errors.inputs import (
    ArchiveCorrupt,
    ArchiveEncrypted,
    ArchiveNested,
    ArchiveNoUsableImages,
    ArchiveOverlap,
    ArchiveSpecialFile,
    ArchiveTooLarge,
    ArchiveTooManyFiles,
    ArchiveUnsafePath,
    ArchiveUnsupportedMethod,
    ColorModeUnsupported,
    DecodeTimeout,
    DicomCorrupt,
    DicomDecodeFailed,
    DicomInconsistent,
    DicomModality,
    DicomMultiFrame,
    DicomNoPixels,
    DicomPhotometric,
    DicomRescale,
    DicomTransferSyntax,
    EmptyFile,
    ImageBadAspect,
    ImageCorrupt,
    ImageMultiFrame,
    ImageTooLarge,
    ImageTooSmall,
    ImageTruncated,
    InputRejected,
    NotAChestCt,
    PixelValuesInvalid,
    ReportImpossible,
    TrailingData,
    UnsupportedMediaType,
)
from hilum.errors.pipeline import (
    BundleInvalid,
    DatasetClassCollision,
    DatasetEmpty,
    DatasetGroupsInvalid,
    DatasetInvalid,
    DatasetManifestInvalid,
    DatasetNotFound,
    DatasetSourceUnavailable,
    LeaseLost,
    ReplayFailed,
    RunCancelled,
    SettingsRefused,
    TrainingFailed,
)
from hilum.errors.retraining import (
    ChampionMoved,
    DatasetFull,
    DatasetUnavailable,
    HoldoutImage,
    ImagesNotTaken,
    ImageStateConflict,
    LabelledImageNotFound,
    ModelConflict,
    ModelNotFound,
    NothingToRollBackTo,
    RegistryOff,
    RegistryRefused,
    RegistryUnavailable,
    RetrainInProgress,
    RunNotAwaiting,
    RunNotFound,
    RunsUnavailable,
    SnapshotNotFound,
    TestSetFrozen,
    TrainingDataInsufficient,
    TrainingUnavailable,
    UploadBatchNotFound,
)
from hilum.errors.root import (
    HilumError,
)
from hilum.errors.service import (
    BatchActive,
    BatchItemFailed,
    BatchNotFound,
    BatchUnavailable,
    CursorInvalid,
    HistoryOff,
    HistoryUnavailable,
    HounsfieldMissing,
    ImageNotKept,
    LabelInvalid,
    LookAlikesMissing,
    MetricsMissing,
    ModelChanged,
    NotReady,
    Overloaded,
    PredictionNotFound,
    ServiceRefused,
)
from hilum.errors.storage import (
    AuditLogBroken,
    BackupFailed,
    BackupInvalid,
    BlobCorrupt,
    BlobMissing,
    BlobStoreUnavailable,
    BlobStoreUnsupported,
    DatabaseOutdated,
    DatabaseUnavailable,
    DatabaseUnsupported,
    DiskFull,
    RestoreRefused,
    StorageInvalid,
)

__all__ = [
    "AccessRefused",
    "AccessUnavailable",
    "ArchiveCorrupt",
    "ArchiveEncrypted",
    "ArchiveNested",
    "ArchiveNoUsableImages",
    "ArchiveOverlap",
    "ArchiveSpecialFile",
    "ArchiveTooLarge",
    "ArchiveTooManyFiles",
    "ArchiveUnsafePath",
    "ArchiveUnsupportedMethod",
    "AuditLogBroken",
    "BackupFailed",
    "BackupInvalid",
    "BatchActive",
    "BatchItemFailed",
    "BatchNotFound",
    "BatchUnavailable",
    "BlobCorrupt",
    "BlobMissing",
    "BlobStoreUnavailable",
    "BlobStoreUnsupported",
    "BundleInvalid",
    "ChampionMoved",
    "ColorModeUnsupported",
    "CredentialsMissing",
    "CursorInvalid",
    "DatabaseOutdated",
    "DatabaseUnavailable",
    "DatabaseUnsupported",
    "DatasetClassCollision",
    "DatasetEmpty",
    "DatasetFull",
    "DatasetGroupsInvalid",
    "DatasetInvalid",
    "DatasetManifestInvalid",
    "DatasetNotFound",
    "DatasetSourceUnavailable",
    "DatasetUnavailable",
    "DecodeTimeout",
    "DicomCorrupt",
    "DicomDecodeFailed",
    "DicomInconsistent",
    "DicomModality",
    "DicomMultiFrame",
    "DicomNoPixels",
    "DicomPhotometric",
    "DicomRescale",
    "DicomTransferSyntax",
    "DiskFull",
    "EmptyFile",
    "HilumError",
    "HistoryOff",
    "HistoryUnavailable",
    "HoldoutImage",
    "HounsfieldMissing",
    "ImageBadAspect",
    "ImageCorrupt",
    "ImageMultiFrame",
    "ImageNotKept",
    "ImageStateConflict",
    "ImageTooLarge",
    "ImageTooSmall",
    "ImageTruncated",
    "ImagesNotTaken",
    "InputRejected",
    "KeyInvalid",
    "LabelInvalid",
    "LabelledImageNotFound",
    "LeaseLost",
    "LookAlikesMissing",
    "MetricsMissing",
    "ModelChanged",
    "ModelConflict",
    "ModelNotFound",
    "NotAChestCt",
    "NotReady",
    "NothingToRollBackTo",
    "Overloaded",
    "PixelValuesInvalid",
    "PredictionNotFound",
    "RateLimited",
    "RegistryOff",
    "RegistryRefused",
    "RegistryUnavailable",
    "ReplayFailed",
    "ReportImpossible",
    "RestoreRefused",
    "RetrainInProgress",
    "RoleInsufficient",
    "RunCancelled",
    "RunNotAwaiting",
    "RunNotFound",
    "RunsUnavailable",
    "ServiceRefused",
    "SettingsRefused",
    "SnapshotNotFound",
    "StorageInvalid",
    "TestSetFrozen",
    "TrailingData",
    "TrainingDataInsufficient",
    "TrainingFailed",
    "TrainingUnavailable",
    "UnsupportedMediaType",
    "UploadBatchNotFound",
]
