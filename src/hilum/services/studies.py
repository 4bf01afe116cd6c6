"""Slices of a study put together: grouped by series, ordered, their answers summed up. Knows no HTTP and no pixels."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from hilum.imaging.dicom_header import SliceHeader, read_header

SUSPICIOUS_SHARE, SUSPICIOUS_LEAST = 0.1, 3
"""The aggregate rests on the most suspicious tenth of the slices, and on three at the least."""

_SAME_PLACE_MM = 0.01
_GAP = 1.5
"""Neighbours further apart than so many times the usual distance leave a gap."""


@dataclass(frozen=True)
class SliceAnswer:
    """One answered slice of a study.

    Attributes:
        index: its place as sent.
        header: where it belongs; None where its format does not say.
        probabilities: by class.
        cancer_probability: None where the model's classes name no cancer.
    """

    index: int
    header: SliceHeader | None
    probabilities: Mapping[str, float]
    cancer_probability: float | None


@dataclass(frozen=True)
class Aggregate:
    """What the slices of one series say together.

    Attributes:
        slices: N, that were answered.
        used: k, the most suspicious ones, which the first two figures rest on.
        cancer_probability: mean over those; None where the model's classes name no cancer.
        probabilities: by class, means over those.
        mean_probabilities: by class, means over all slices.
        predicted_class: the most probable of `probabilities`.
        most_suspicious: their indices, the most suspicious first.
    """

    slices: int
    used: int
    cancer_probability: float | None
    probabilities: dict[str, float]
    mean_probabilities: dict[str, float]
    predicted_class: str
    most_suspicious: tuple[int, ...]


@dataclass(frozen=True)
class SeriesAnswer:
    """The slices of one series of one patient.

    Attributes:
        order: indices of its slices, from the lowest position to the highest.
        positions_mm: of each, in that order; None where it is not known.
        warnings: codes of what is doubtful about the series.
        aggregate: what they say together.
    """

    order: tuple[int, ...]
    positions_mm: tuple[float | None, ...]
    warnings: tuple[str, ...]
    aggregate: Aggregate


@dataclass(frozen=True)
class StudyAnswer:
    """All series, the largest first, and what is doubtful about the whole."""

    series: tuple[SeriesAnswer, ...]
    warnings: tuple[str, ...]


class HeaderReader:
    """Reads where slices belong, with a key of its own that is forgotten with it."""

    def __init__(self, *, with_references: bool = False) -> None:
        """Makes the key.

        Args:
            with_references: also copies what identifies each slice, for a report.
        """
        self._key = secrets.token_bytes(32)
        self._with_references = with_references

    def read(self, data: bytes) -> SliceHeader | None:
        """Where a slice belongs; None where its format does not say."""
        return read_header(data, self._key, with_reference=self._with_references)


def put_together(slices: Sequence[SliceAnswer]) -> StudyAnswer:
    """Groups answered slices by patient and series, and sums each group up.

    A model that sees single slices knows no study, so this is a rule and not a prediction: most slices of a chest show
    no tumour, and their mean would hide it; the highest alone would be the worst false alarm of hundreds. The mean of
    the most suspicious tenth lies between. It is not calibrated on studies, and a person decides.

    Raises:
        ValueError: there is no slice.
    """
    if not slices:
        raise ValueError("a study has at least one slice")
    groups: dict[bytes, list[SliceAnswer]] = {}
    for one in slices:
        groups.setdefault(one.header.series if one.header else b"", []).append(one)
    patients = {one.header.patient for one in slices if one.header}
    warnings = []
    if len(patients) > 1:
        warnings.append("several-patients")
    if len(groups) > 1:
        warnings.append("several-series")
    series = [_series(group) for group in groups.values()]
    return StudyAnswer(tuple(sorted(series, key=lambda one: -len(one.order))), tuple(warnings))


def _series(group: Sequence[SliceAnswer]) -> SeriesAnswer:
    headers = [one.header for one in group if one.header is not None]
    positions = [header.position_mm for header in headers]
    is_placed = len(headers) == len(group) and None not in positions
    ordered = sorted(group, key=_place_of if is_placed else _number_of)
    placed = tuple(one.header.position_mm if one.header else None for one in ordered)
    return SeriesAnswer(
        order=tuple(one.index for one in ordered),
        positions_mm=placed,
        warnings=tuple(_doubts(headers, [at for at in placed if at is not None], is_placed=is_placed)),
        aggregate=_aggregate(group),
    )


def _place_of(one: SliceAnswer) -> tuple[float, int]:
    at = one.header.position_mm if one.header else None
    return (math.inf if at is None else at, one.index)


def _number_of(one: SliceAnswer) -> tuple[float, int]:
    number = one.header.instance_number if one.header else None
    return (math.inf if number is None else number, one.index)


def _doubts(headers: Sequence[SliceHeader], positions: Sequence[float], *, is_placed: bool) -> list[str]:
    found = []
    if not is_placed:
        found.append("order-unknown")
    steps = [after - before for before, after in pairwise(sorted(positions))]
    apart = [step for step in steps if step > _SAME_PLACE_MM]
    if len(apart) < len(steps):
        found.append("duplicate-positions")
    if apart and max(apart) > _GAP * median(apart):
        found.append("gaps")
    numbers = [header.instance_number for header in headers if header.instance_number is not None]
    if len(set(numbers)) < len(numbers):
        found.append("duplicate-instance-numbers")
    thicknesses = {round(header.thickness_mm, 3) for header in headers if header.thickness_mm is not None}
    if len(thicknesses) > 1:
        found.append("mixed-thickness")
    return found


def _aggregate(group: Sequence[SliceAnswer]) -> Aggregate:
    knows_cancer = group[0].cancer_probability is not None
    used = min(len(group), max(SUSPICIOUS_LEAST, math.ceil(SUSPICIOUS_SHARE * len(group))))
    ranked = sorted(group, key=lambda one: (-(one.cancer_probability or 0.0), one.index))
    top = ranked[:used] if knows_cancer else list(group)
    probabilities = _means(top)
    cancer = sum(one.cancer_probability or 0.0 for one in top) / len(top) if knows_cancer else None
    return Aggregate(
        slices=len(group),
        used=len(top),
        cancer_probability=cancer,
        probabilities=probabilities,
        mean_probabilities=_means(group),
        predicted_class=max(probabilities, key=lambda name: probabilities[name]),
        most_suspicious=tuple(one.index for one in top) if knows_cancer else (),
    )


def _means(group: Sequence[SliceAnswer]) -> dict[str, float]:
    return {name: sum(one.probabilities[name] for one in group) / len(group) for name in group[0].probabilities}
