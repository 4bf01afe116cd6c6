"""Two classifiers on the same images: how far apart their measures are, and how sure that is. Knows arrays only."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from hilum.evaluation.means import NO_WIDTH, Z_ONE_SIDED, bounds_of_alike
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
        low, high: 5th and 95th percentile of the paired bootstrap. Where no resample differs, because no image is right
            for one of them alone, a bootstrap of accuracy or recall would claim to be certain: then the bounds of
            Tango's score interval (Stat. Med. 17, 1998), by the number of groups. Probabilities that are the same to
            the last bit are those of one classifier, so that their measures need none.
        n: the images it rests on.
        is_same: whether no resample differs.
    """

    a: float
    b: float
    value: float
    low: float
    high: float
    n: int
    is_same: bool = False


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
    group_of = group_indices(groups, len(truth))
    for weights in resamples(rng, group_of, n_bootstrap):
        of_a, of_b = (measure(case, weights) for case in cases)
        for name in names:
            drawn[name].append(of_b[name] - of_a[name])
        counts.append(weights @ np.eye(len(class_names))[truth])
    replicates = {name: np.concatenate(parts) for name, parts in drawn.items()}
    has_images = np.concatenate(counts) > 0

    def overall(name: str) -> Difference:
        one, other = (float(estimate[name][0]) for estimate in estimates)
        return _difference(one, other, replicates[name], len(truth))

    accuracy = _widened(overall("accuracy"), len(np.unique(group_of)))

    recall = {}
    for index, name in enumerate(class_names):
        support = int((truth == index).sum())
        if support:
            one, other = (float(estimate["recall"][0, index]) for estimate in estimates)
            found = _difference(one, other, replicates["recall"][has_images[:, index], index], support)
            recall[name] = _widened(found, len(np.unique(group_of[truth == index])))
    return Differences(accuracy, overall("expected_calibration_error"), overall("log_loss"), recall)


def _difference(a: float, b: float, replicates: Floats, n: int) -> Difference:
    low, high = (float(bound) for bound in np.percentile(replicates, _BOUNDS))
    return Difference(a, b, b - a, low, high, n, is_same=high - low < NO_WIDTH)


def _widened(found: Difference, n_groups: int) -> Difference:
    """With bounds for what images that were not seen may say, where those that were are all alike."""
    if not found.is_same:
        return found
    low, high = bounds_of_alike(found.value, n_groups, within=(-1, 1), z=Z_ONE_SIDED)
    return replace(found, low=low, high=high)
