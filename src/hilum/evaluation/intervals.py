"""Gives measures of one case their 95 % intervals, from resamples and from nothing but the images' number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hilum.evaluation.means import NO_WIDTH, bounds_of_alike
from hilum.evaluation.measures import PROBABILITY_FLOOR, Case, Floats
from hilum.evaluation.results import Figure

_INTERVAL = (2.5, 97.5)

_RANGES = {"brier_score": (0.0, 2.0), "log_loss": (0.0, float(-np.log(PROBABILITY_FLOOR)))}
"""Where one image's value may lie, of the measures for which that is not from 0 to 1."""

_MEANS_OVER_CLASSES = {
    "macro_precision": "precision",
    "macro_recall": "recall",
    "macro_f1": "f1",
    "macro_auroc": "auroc",
    "balanced_accuracy": "recall",
}

_BY_CLASS = frozenset(_MEANS_OVER_CLASSES.values())


class Intervals:
    """Looks up a measure and its interval by name.

    Where no resample differs from the images as they are, because all are right, all are wrong or no score is out of
    order, a bootstrap has no width and would claim to be certain. Then `bounds_of_alike` gives the interval, from so
    many independent units: groups that hold an image the measure rests on. The AUROC's are pairs of a positive and a
    negative group, each group used once: under an area A all pairs of the sample are in order with a probability of at
    most A to their number, whatever the scores' distribution, since these few must be. (Obuchowski and Lieber, Acad.
    Radiol. 9, 2002, bound an area of 1.0 more closely by assuming a binormal one.) A mean over classes lies between
    the means of their bounds.
    """

    def __init__(self, case: Case, group_of: NDArray[np.intp], estimates: dict[str, Floats], drawn: dict[str, Floats]):
        """Knows the measures of `case`.

        Args:
            case: N images.
            group_of: (N,) each image's group.
            estimates: (1,) or (1, C) by measure.
            drawn: (B,) or (B, C) by measure, of resamples; empty where there are none.
        """
        self._case = case
        self._group_of = group_of
        self._estimates = estimates
        self._drawn = drawn

    def get(self, name: str, class_index: int | None = None) -> Figure:
        """The measure, of one class where it has one for each."""
        at = (slice(None),) if class_index is None else (slice(None), class_index)
        value = float(self._estimates[name][at][0])
        n = int(self._rests_on(name, class_index).sum())
        if np.isnan(value):
            return Figure(None, None, None, n)
        drawn = self._drawn[name][at] if self._drawn else np.empty(0)
        drawn = drawn[~np.isnan(drawn)]
        if not drawn.size or not n:
            return Figure(value, None, None, n)
        low, high = (float(bound) for bound in np.percentile(drawn, _INTERVAL))
        if high - low > NO_WIDTH:
            return Figure(value, low, high, n)
        if name in _MEANS_OVER_CLASSES:
            return self._mean_over_classes(name, value, n)
        units = self._units(name, class_index)
        return Figure(value, *bounds_of_alike(value, units, within=_RANGES.get(name, (0.0, 1.0))), n)

    def _mean_over_classes(self, name: str, value: float, n: int) -> Figure:
        counted = np.bincount(self._case.labels, minlength=self._case.probabilities.shape[1]) > 0
        classes = np.flatnonzero(counted) if name == "balanced_accuracy" else range(len(counted))
        of_classes = [self.get(_MEANS_OVER_CLASSES[name], int(index)) for index in classes]
        lows = [figure.value if figure.low is None else figure.low for figure in of_classes]
        highs = [figure.value if figure.high is None else figure.high for figure in of_classes]
        return Figure(value, float(np.mean(np.array(lows, float))), float(np.mean(np.array(highs, float))), n)

    def _rests_on(self, name: str, class_index: int | None) -> NDArray[np.bool_]:
        """(N,) the images a measure counts."""
        case = self._case
        if name == "precision":
            return np.asarray(case.predicted == class_index)
        if name in {"recall", "f1"}:
            return np.asarray(case.labels == class_index)
        if name in {"sensitivity", "specificity"}:
            return np.asarray(case.is_cancer[case.labels] == (name == "sensitivity"))
        return np.ones(len(case.labels), bool)

    def _units(self, name: str, class_index: int | None) -> int:
        if name in {"auroc", "cancer_auroc"}:
            labels = self._case.labels
            return pairs_of_groups(
                labels == class_index if name == "auroc" else self._case.is_cancer[labels], self._group_of
            )
        return len(np.unique(self._group_of[self._rests_on(name, class_index)]))


def pairs_of_groups(is_positive: NDArray[np.bool_], group_of: NDArray[np.intp]) -> int:
    """How many pairs of a positive and a negative image there are, no two of them with an image of the same group.

    Where a single group holds everything, it counts as one pair.
    """
    positive, negative = np.unique(group_of[is_positive]), np.unique(group_of[~is_positive])
    return max(1, min(len(positive), len(negative), len(np.union1d(positive, negative)) // 2))
