"""What ends a command: data sets, bundles, training, receipts and settings that cannot be used."""

from __future__ import annotations

from hilum.errors.root import HilumError


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


class ReplayFailed(HilumError):
    """A receipt's answer was not reproduced."""

    code, exit_code, title = "replay-failed", 8, "The answer was not reproduced"


class SettingsRefused(HilumError):
    """The settings would make an unsafe service."""

    code, exit_code, title = "settings-refused", 2, "The settings are refused"
