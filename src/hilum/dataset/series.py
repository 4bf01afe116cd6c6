"""Which images come from one series, as far as file names tell. Believes a name only where the pixels bear it out.

A part of the names is used where it predicts an image's nearest neighbour far more often than chance does, by a
permutation test within one class of one split (Good, Permutation Tests, 2000). Names never join two splits: the same
number may mean another series there, and only near copies can show that it does not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.file_names import NameField, name_fields
from hilum.dataset.groups import NEAR_COPY, infer_groups, read_fingerprints
from hilum.dataset.manifest import DatasetManifest
from hilum.dataset.neighbours import Pairs, nearest, unit_vectors

_MIN_AGREEMENT = 0.4
_MAX_P = 0.01
_MIN_IMAGES = 20
_PERMUTATIONS = 999
_MOST_TESTED = 4_000
_STEP = 2
"""Numbers at most this far apart follow each other: some slices are always missing."""

_FAR = 10
_LIKE = 95.0
"""Percentile of the cosines of images further apart than 10 numbers, from which two that follow are of one series."""

_TWIN_OVERLAP, _TWIN_LEAST = 0.6, 8


@dataclass(frozen=True)
class NameEvidence:
    """How well a part of the names predicts the nearest neighbour, in one class of one split.

    Attributes:
        split, class_name: where it was tested.
        field: the part of the name, in words.
        relation: `same`: neighbours have the same value; `next`: their numbers follow each other.
        n: images tested.
        n_values: different values.
        observed: share of images whose nearest neighbour has the relation.
        chance: the same under permutation, on average.
        p_value: of the permutation test, at least 1 / 1000.
        is_used: whether it is taken to name the series.
    """

    split: str
    class_name: str
    field: str
    relation: Literal["same", "next"]
    n: int
    n_values: int
    observed: float
    chance: float
    p_value: float
    is_used: bool

    @property
    def agreement(self) -> float:
        """Share beyond chance of what was left to predict, as Cohen's kappa: 0 for chance, 1 for always."""
        return (self.observed - self.chance) / max(1 - self.chance, 1e-9)


@dataclass(frozen=True)
class NameSeries:
    """What the names say.

    Attributes:
        evidence: a line for each class of a split and each part of its names.
        links: rows of the manifest's records that belong to one series.
    """

    evidence: tuple[NameEvidence, ...]
    links: tuple[Pairs, ...]


def series_groups(
    manifest: DatasetManifest, fingerprints: NDArray[np.uint8] | None = None, *, found: NameSeries | None = None
) -> DatasetManifest:
    """Groups near copies and, where the names are borne out by the pixels, whole series, transitively.

    Coarser than `infer_groups`: a model that is tested on other groups has seen no slice of their series, as far as
    names and near copies can tell.

    Args:
        manifest: its records' groups are replaced.
        fingerprints: (len(manifest.records), 6912) uint8; read from the files where None.
        found: what `name_series` returned, where the caller has it already.
    """
    if fingerprints is None:
        fingerprints = read_fingerprints(manifest, manifest.records)
    found = found or name_series(manifest, fingerprints)
    return infer_groups(manifest, fingerprints, also=found.links)


def name_series(manifest: DatasetManifest, fingerprints: NDArray[np.uint8], *, seed: int = 0) -> NameSeries:
    """Tests every part of the names of each class of each split, and links what the best one says.

    Args:
        manifest: the data set.
        fingerprints: (len(manifest.records), 6912) uint8.
        seed: of the permutations.
    """
    rng = np.random.default_rng(seed)
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, record in enumerate(manifest.records):
        members[record.split, record.class_name].append(row)
    evidence: list[NameEvidence] = []
    links: list[Pairs] = []
    for (split, class_name), rows in sorted(members.items()):
        tested = _test_names(manifest, fingerprints, np.array(rows, np.intp), rng)
        best = max(
            (test for test in tested if test.is_convincing), key=lambda test: test.observed - test.chance, default=None
        )
        evidence += [test.evidence(split, class_name, is_used=test is best) for test in tested]
        if best is not None:
            links += _links_of(best, np.array(rows, np.intp), fingerprints)
    return NameSeries(tuple(evidence), tuple(links))


@dataclass(frozen=True)
class _Test:
    field: NameField
    relation: Literal["same", "next"]
    n: int
    observed: float
    chance: float
    p_value: float

    @property
    def agreement(self) -> float:
        return (self.observed - self.chance) / max(1 - self.chance, 1e-9)

    @property
    def is_convincing(self) -> bool:
        return self.n >= _MIN_IMAGES and self.p_value <= _MAX_P and self.agreement >= _MIN_AGREEMENT

    def evidence(self, split: str, class_name: str, *, is_used: bool) -> NameEvidence:
        return NameEvidence(
            split=split,
            class_name=class_name,
            field=self.field.title,
            relation=self.relation,
            n=self.n,
            n_values=len(set(self.field.keys)),
            observed=self.observed,
            chance=self.chance,
            p_value=self.p_value,
            is_used=is_used,
        )


def _test_names(
    manifest: DatasetManifest, fingerprints: NDArray[np.uint8], rows: NDArray[np.intp], rng: np.random.Generator
) -> list[_Test]:
    fields = name_fields(tuple(manifest.records[row].path for row in rows))
    if len(rows) < _MIN_IMAGES or not fields:
        return []
    neighbours = _neighbours(fingerprints[rows])
    tests = []
    for field in fields:
        if len(set(field.keys)) < len(field.keys):
            keys = np.unique(np.array(_without_twins(field)), return_inverse=True)[1]
            tests.append(_permuted(field, "same", keys, neighbours, rng))
        elif field.numbers is not None:
            tests.append(_permuted(field, "next", np.array(field.numbers, np.int64), neighbours, rng))
    return tests


def _neighbours(fingerprints: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Each one's nearest that is no near copy; of 4,000 drawn where there are more, -1 for the others.

    So many tell a share to 1 %, and comparing all with all grows by the square.
    """
    if len(fingerprints) <= _MOST_TESTED:
        return nearest(fingerprints, below=NEAR_COPY)[0]
    found = np.full(len(fingerprints), -1, np.intp)
    drawn = np.random.default_rng(0).permutation(len(fingerprints))[:_MOST_TESTED]
    found[drawn] = nearest(fingerprints[drawn], fingerprints, below=NEAR_COPY)[0]
    return found


def _permuted(
    field: NameField,
    relation: Literal["same", "next"],
    values: NDArray[np.int64],
    neighbours: NDArray[np.intp],
    rng: np.random.Generator,
) -> _Test:
    images = np.flatnonzero(neighbours >= 0)
    step = 0 if relation == "same" else _STEP
    if not images.size:
        return _Test(field, relation, 0, 0.0, 0.0, 1.0)

    def share(of: NDArray[np.int64]) -> float:
        return float((np.abs(of[images] - of[neighbours[images]]) <= step).mean())

    observed = share(values)
    permuted = np.array([share(rng.permutation(values)) for _ in range(_PERMUTATIONS)])
    p_value = (1 + int((permuted >= observed).sum())) / (1 + _PERMUTATIONS)
    return _Test(field, relation, len(images), observed, float(permuted.mean()), p_value)


def _links_of(test: _Test, rows: NDArray[np.intp], fingerprints: NDArray[np.uint8]) -> Iterator[Pairs]:
    if test.relation == "next":
        yield _consecutive(np.array(test.field.numbers, np.int64), rows, fingerprints)
        return
    by_key: dict[str, list[int]] = defaultdict(list)
    for place, key in enumerate(_without_twins(test.field)):
        by_key[key].append(place)
    for places in by_key.values():
        yield rows[places[:-1]], rows[places[1:]]


def _consecutive(numbers: NDArray[np.int64], rows: NDArray[np.intp], fingerprints: NDArray[np.uint8]) -> Pairs:
    """Images whose numbers follow each other and that look alike: a series runs until the picture jumps."""
    order = np.argsort(numbers, kind="stable")
    left, right = order[:-1], order[1:]
    likeness = np.einsum("ij,ij->i", unit_vectors(fingerprints[rows[left]]), unit_vectors(fingerprints[rows[right]]))
    usual = _usual_likeness(numbers, fingerprints[rows])
    follows = (numbers[right] - numbers[left] <= _STEP) & (likeness >= usual)
    return rows[left[follows]], rows[right[follows]]


def _usual_likeness(numbers: NDArray[np.int64], fingerprints: NDArray[np.uint8]) -> float:
    """What images far apart in number seldom exceed: they are of other series."""
    sample = np.random.default_rng(0).permutation(len(numbers))[:500]
    units = unit_vectors(fingerprints[sample])
    i, j = np.triu_indices(len(sample), k=1)
    is_far = np.abs(numbers[sample][i] - numbers[sample][j]) > _FAR
    return float(np.percentile((units @ units.T)[i[is_far], j[is_far]], _LIKE)) if is_far.any() else 1.0


def _without_twins(field: NameField) -> list[str]:
    """The keys, one for all series whose files are numbered alike: those are one series exported twice."""
    rests_of: dict[str, set[str]] = defaultdict(set)
    for key, rest in zip(field.keys, field.rests, strict=True):
        rests_of[key].add(rest)
    first_of: dict[str, str] = {}
    for key in sorted(rests_of):
        twins = (other for other in first_of.values() if _are_twins(rests_of[other], rests_of[key]))
        first_of[key] = next(twins, key)
    return [first_of[key] for key in field.keys]


def _are_twins(first: set[str], second: set[str]) -> bool:
    shared = len(first & second)
    return shared >= _TWIN_LEAST and shared >= _TWIN_OVERLAP * len(first | second)
