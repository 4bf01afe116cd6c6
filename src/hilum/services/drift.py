"""Compares recent inputs and predictions with a model's training ones. Knows no HTTP, no database and no pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hilum.inference.input_reference import InputReference

LEAST = 50
"""Fewer recent inputs say nothing."""

_BINS = 10
_SURE = (10.83, 13.82, 16.27, 18.47, 20.52, 22.46, 24.32, 26.12, 27.88, 29.59, 31.26)
"""0.999 quantiles of chi-square with 1 to 11 degrees of freedom."""


@dataclass(frozen=True)
class RecentInput:
    """One prediction of the history, as far as drift is concerned.

    Attributes:
        statistics: of its input, by name.
    """

    created_at: datetime
    model_version: str
    predicted_class: str
    statistics: Mapping[str, float]


@dataclass(frozen=True)
class StatisticDrift:
    """How far one statistic of the inputs has moved.

    Attributes:
        psi: population stability index over the training slices' deciles.
        ks: Kolmogorov-Smirnov distance, the largest difference of the two distributions.
        reference_median, recent_median: of the training slices, of the recent inputs.
        is_alert: the index is above the threshold, and above what chance explains.
    """

    name: str
    psi: float
    ks: float
    reference_median: float
    recent_median: float
    is_alert: bool


@dataclass(frozen=True)
class ClassDrift:
    """How far the predicted classes have moved: their shares then and now, and the index over them."""

    psi: float
    reference: dict[str, float]
    recent: dict[str, float]
    n: int
    is_alert: bool


@dataclass(frozen=True)
class DriftReport:
    """What recent inputs say.

    Attributes:
        status: `no-reference`: the bundle does not describe its inputs; `too-few`: fewer than 50 recent ones.
        n: recent inputs compared; since, until: when the first and the last came.
        reference_n: training slices they are compared with.
        inputs: by statistic, empty where there is nothing to compare.
        predictions: None where the model that serves answered too few of them.
        alerts: names of what moved, `predicted_class` among them.
    """

    status: Literal["no-reference", "too-few", "steady", "drift"]
    model_version: str
    threshold: float
    n: int
    since: datetime | None
    until: datetime | None
    reference_n: int | None = None
    inputs: tuple[StatisticDrift, ...] = ()
    predictions: ClassDrift | None = None
    alerts: tuple[str, ...] = ()


def compare(
    reference: InputReference | None, recent: Sequence[RecentInput], *, model_version: str, threshold: float
) -> DriftReport:
    """Compares.

    An alert needs two things: an index above the threshold, and one that the number of inputs cannot explain. Without
    drift, the index over B bins of n inputs and m training slices is about chi-square with B - 1 degrees of freedom,
    times 1/n + 1/m (Yurdakul, 2018): few inputs give a large one by chance, and must not wake anyone.

    Args:
        reference: of the model that serves.
        recent: the newest first.
        model_version: that serves; the predicted classes of other versions are left out.
        threshold: of the population stability index.
    """
    times = [one.created_at for one in recent]
    since, until = (min(times), max(times)) if times else (None, None)
    if reference is None or len(recent) < LEAST:
        status: Literal["no-reference", "too-few"] = "no-reference" if reference is None else "too-few"
        known = reference.n if reference else None
        return DriftReport(status, model_version, threshold, len(recent), since, until, known)
    inputs = tuple(
        _statistic(reference, name, values, threshold)
        for name in reference.statistics
        if len(values := np.array([one.statistics[name] for one in recent if name in one.statistics])) >= LEAST
    )
    predictions = _classes(reference, [one for one in recent if one.model_version == model_version], threshold)
    alerts = [one.name for one in inputs if one.is_alert]
    if predictions is not None and predictions.is_alert:
        alerts.append("predicted_class")
    return DriftReport(
        status="drift" if alerts else "steady",
        model_version=model_version,
        threshold=threshold,
        n=len(recent),
        since=since,
        until=until,
        reference_n=reference.n,
        inputs=inputs,
        predictions=predictions,
        alerts=tuple(alerts),
    )


def _statistic(reference: InputReference, name: str, values: NDArray[np.float64], threshold: float) -> StatisticDrift:
    quantiles = np.array(reference.statistics[name])
    deciles = quantiles[:: (len(quantiles) - 1) // _BINS]
    # Beyond the least and the largest lie bins of their own: where all slices were alike, there are no others.
    edges = np.unique(np.concatenate([[np.nextafter(deciles[0], -np.inf)], deciles[1:]]))
    expected = np.diff(np.concatenate([[0.0], reference.share_below(name, edges), [1.0]]))
    found = np.diff(np.concatenate([[0], np.searchsorted(np.sort(values), edges, side="right"), [len(values)]]))
    psi = _index(expected, found, reference.n)
    places = np.unique(np.concatenate([values, quantiles]))
    recent = np.searchsorted(np.sort(values), places, side="right") / len(values)
    return StatisticDrift(
        name=name,
        psi=round(psi, 4),
        ks=round(float(np.abs(recent - reference.share_below(name, places)).max()), 4),
        reference_median=float(quantiles[len(quantiles) // 2]),
        recent_median=round(float(np.median(values)), 4),
        is_alert=psi > max(threshold, _by_chance(len(expected), len(values), reference.n)),
    )


def _classes(reference: InputReference, recent: Sequence[RecentInput], threshold: float) -> ClassDrift | None:
    if len(recent) < LEAST:
        return None
    counts = Counter(one.predicted_class for one in recent)
    names = sorted(set(reference.predicted_classes) | set(counts))
    expected = np.array([reference.predicted_classes.get(name, 0.0) for name in names])
    psi = _index(expected, np.array([counts[name] for name in names]), reference.n)
    return ClassDrift(
        psi=round(psi, 4),
        reference={name: round(float(share), 4) for name, share in zip(names, expected, strict=True)},
        recent={name: round(counts[name] / len(recent), 4) for name in names},
        n=len(recent),
        is_alert=psi > max(threshold, _by_chance(len(names), len(recent), reference.n)),
    )


def _index(expected: NDArray[np.float64], found: NDArray[np.int64], reference_n: int) -> float:
    """The population stability index; half an observation more in each bin keeps empty ones finite."""
    before = (expected * reference_n + 0.5) / (reference_n + 0.5 * len(expected))
    after = (found + 0.5) / (found.sum() + 0.5 * len(found))
    return float(((after - before) * np.log(after / before)).sum())


def _by_chance(bins: int, n: int, reference_n: int) -> float:
    return _SURE[min(max(bins - 1, 1), len(_SURE)) - 1] * (1 / n + 1 / reference_n)
