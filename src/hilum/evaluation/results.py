"""The figures of an evaluation, as values and as JSON. Computes nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured figure with its 95 % interval.

    Attributes:
        value: the figure; None where it is undefined, such as the AUROC of a class without images.
        low, high: percentile bootstrap interval, `bounds_of_alike` where all images are; None where undefined.
        n: the images it rests on: those predicted as the class for a precision, those of the class for a recall.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class ClassFigures:
    """One class against the rest.

    Attributes:
        support: images of the class.
        predicted: images predicted as the class.
        roc: at most 100 points (false positive rate, true positive rate) from (0, 0) to (1, 1); empty if undefined.
    """

    class_name: str
    support: int
    predicted: int
    precision: Figure
    recall: Figure
    f1: Figure
    auroc: Figure
    roc: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class CancerFigures:
    """Cancer against no cancer, by the summed probability of the cancer classes.

    Attributes:
        threshold: an image counts as called cancer where the summed probability reaches it.
    """

    threshold: float
    auroc: Figure
    sensitivity: Figure
    specificity: Figure


@dataclass(frozen=True)
class ReliabilityBin:
    """The images whose top probability lies in (lower, upper]; the means are None where there is none."""

    lower: float
    upper: float
    n: int
    mean_confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Evaluation:
    """All figures of one classifier on one set of images.

    Attributes:
        n: images.
        balanced_accuracy: mean recall of the classes that have images.
        macro_precision, macro_recall, macro_f1: means over all classes.
        weighted_precision, weighted_recall, weighted_f1: means weighted by support.
        macro_auroc: mean of the classes' one-vs-rest AUROC, undefined as soon as one of them is.
        expected_calibration_error: 15 equal-width bins of the top probability (Guo et al., ICML 2017).
        brier_score: mean over images of the squared distances summed over classes (Brier 1950), 0 to 2.
        log_loss: mean negative natural logarithm of the true class's probability.
        confusion_matrix: rows are true classes, columns predicted ones, in the order of `class_names`.
        n_bootstrap, seed: the intervals' resamples.
        n_groups: groups resampled; None where images were.
        notes: what a reader must know of the figures above.
    """

    n: int
    class_names: tuple[str, ...]
    cancer_class_names: tuple[str, ...]
    accuracy: Figure
    balanced_accuracy: Figure
    macro_precision: Figure
    macro_recall: Figure
    macro_f1: Figure
    weighted_precision: Figure
    weighted_recall: Figure
    weighted_f1: Figure
    macro_auroc: Figure
    expected_calibration_error: Figure
    brier_score: Figure
    log_loss: Figure
    per_class: tuple[ClassFigures, ...]
    cancer: CancerFigures | None
    confusion_matrix: tuple[tuple[int, ...], ...]
    reliability: tuple[ReliabilityBin, ...]
    n_bootstrap: int
    seed: int
    n_groups: int | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The evaluation as JSON types."""
        return {name: _as_json(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Evaluation:
        """The evaluation that `to_dict` wrote, also after a trip through JSON."""
        fields = {name: _from_json(value) for name, value in data.items()}
        fields["per_class"] = tuple(ClassFigures(**_fields(row)) for row in data["per_class"])
        fields["cancer"] = CancerFigures(**_fields(data["cancer"])) if data["cancer"] else None
        fields["reliability"] = tuple(ReliabilityBin(**row) for row in data["reliability"])
        return cls(**fields)


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    return value


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_from_json(item) for item in value)
    if isinstance(value, dict) and value.keys() == Figure.__dataclass_fields__.keys():
        return Figure(**value)
    return value


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _from_json(value) for name, value in row.items()}
