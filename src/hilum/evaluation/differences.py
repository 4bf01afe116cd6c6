"""Two classifiers on the same images: how far apart their measures are, and how sure that is. Knows arrays only."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hilum.evaluation.measures import Case, Floats, measure
from hilum.evaluation.scoring import group_indices, resamples

_BOUNDS = (5.0, 95.0)
"""Each is the bound of a one-sided test at 5 %, as for non-inferiority (ICH E9, section 3.3.2)."""

_MEASURES = ("accuracy", "expected_calibration_error", "log_loss")


@dataclass(frozen=True)
class Difference:
    """A measure of B minus that of A on the same images.

    Attributes:
        a, b: the measure of each.
        value: b - a.
        low, high: 5th and 95th percentile of the paired bootstrap.
        n: the images it rests on.
    """

    a: float
    b: float
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Differences:
    """How far two classifiers are apart; B minus A throughout.

    Attributes:
        accuracy, expected_calibration_error, log_loss: over all images.
        recall: by class; without classes that have no image.
    """

    accuracy: Difference
    expected_calibration_error: Difference
    log_loss: Difference
    recall: dict[str, Difference]


def compare(
    a: ArrayLike,
    b: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    *,
    groups: Sequence[Hashable] | None = None,
    n_bootstrap: int = 2000,
    seed: int = 0,
) -> Differences:
    """Measures two classifiers on the same resamples, so that what is hard for both cancels out.

    Args:
        a, b: (N, C) probabilities of each.
        labels: (N,) indices into `class_names`.
        class_names: C names.
        groups: (N,) which images belong together; groups are resampled instead of images.
        n_bootstrap: resamples.
        seed: of the resampling.
    """
    truth = np.asarray(labels, np.intp)
    no_cancer = np.zeros(len(class_names), bool)
    cases = [Case(np.asarray(one, np.float64), truth, no_cancer, 0.5) for one in (a, b)]
    everything = np.ones((1, len(truth)))
    estimates = [measure(case, everything) for case in cases]
    rng = np.random.default_rng(seed)
    names = (*_MEASURES, "recall")
    drawn: dict[str, list[Floats]] = {name: [] for name in names}
    counts: list[Floats] = []
    for weights in resamples(rng, group_indices(groups, len(truth)), n_bootstrap):
        of_a, of_b = (measure(case, weights) for case in cases)
        for name in names:
            drawn[name].append(of_b[name] - of_a[name])
        counts.append(weights @ np.eye(len(class_names))[truth])
    replicates = {name: np.concatenate(parts) for name, parts in drawn.items()}
    has_images = np.concatenate(counts) > 0

    def overall(name: str) -> Difference:
        one, other = (float(estimate[name][0]) for estimate in estimates)
        return _difference(one, other, replicates[name], len(truth))

    recall = {}
    for index, name in enumerate(class_names):
        support = int((truth == index).sum())
        if support:
            one, other = (float(estimate["recall"][0, index]) for estimate in estimates)
            recall[name] = _difference(one, other, replicates["recall"][has_images[:, index], index], support)
    return Differences(overall("accuracy"), overall("expected_calibration_error"), overall("log_loss"), recall)


def _difference(a: float, b: float, replicates: Floats, n: int) -> Difference:
    low, high = (float(bound) for bound in np.percentile(replicates, _BOUNDS))
    return Difference(a, b, b - a, low, high, n)
