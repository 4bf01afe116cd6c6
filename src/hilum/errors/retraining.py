"""What is refused of labelled images, training runs and the registry. Knows no HTTP."""

from __future__ import annotations

from typing import ClassVar

from hilum.errors.root import HilumError
from hilum.errors.service import ServiceRefused


class TrainingUnavailable(ServiceRefused):
    """Nothing can be trained here at present."""

    code, exit_code, title = "training-unavailable", 6, "Training is not available here"


class RunsUnavailable(ServiceRefused):
    """The database or the store of bytes does not answer, or what it says of runs is just changing."""

    code, exit_code, title, retry_after = "runs-unavailable", 7, "Training runs cannot be reached now", 2


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

    code, status, exit_code, title = "run-not-awaiting", 409, 6, "The training run awaits no decision"


class RunNotFound(ServiceRefused):
    """No training run has this id."""

    code, status, exit_code, title = "run-not-found", 404, 2, "There is no such training run"


class RegistryUnavailable(ServiceRefused):
    """The database that knows the models, or the store of their files, does not answer; predictions are made."""

    code, exit_code, title, retry_after = "registry-unavailable", 7, "The registry cannot be reached", 2


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

    code, exit_code, title, retry_after = "dataset-unavailable", 7, "The labelled images cannot be reached", 2


class ImagesNotTaken(ServiceRefused):
    """This server keeps no images, so it takes no labelled ones."""

    code, status, title = "images-not-taken", 409, "No labelled images are taken here"


class DatasetFull(ServiceRefused):
    """The disk that labelled images are kept on is full; nothing of the upload is kept."""

    code, status, exit_code, title, retry_after = "dataset-full", 507, 9, "There is no room for labelled images", 60


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
