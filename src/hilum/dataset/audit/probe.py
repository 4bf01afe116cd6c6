"""What a quick classifier scores under each way of splitting: HOG and an RBF SVM. Needs scikit-learn.

It shows what a split does to a score, not how well a disease can be told: no model here is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.alignment import ALIGNED_COPY
from hilum.dataset.audit.copies import seen_before
from hilum.dataset.audit.evidence import Evidence, Progress, is_cancer
from hilum.dataset.audit.finding import Score
from hilum.dataset.audit.hog import hog_features
from hilum.dataset.audit.interval import score
from hilum.dataset.neighbours import HEIGHT, WIDTH
from hilum.dataset.splits import Fold, grouped_folds

_MOST_IMAGES = 2000
_FOLDS = 5
_PENALTY = 10.0
_LEAST_TESTED = 10

VIEWS = {"picture": "the whole picture", "body": "the picture cropped to the body"}


@dataclass(frozen=True)
class _Sample:
    """The images the probe works on; rows of the manifest in `rows`."""

    rows: NDArray[np.intp]
    labels: NDArray[np.intp]
    splits: NDArray[np.str_]
    near: list[str]
    series: list[str]

    @cached_property
    def folds(self) -> dict[str, list[Fold]]:
        """Of each cross-validation by its plan's name; none where a class has too few groups."""
        each = [str(k) for k in range(len(self.labels))]
        plans = {"random": each, "near-copies": self.near, "series": self.series}
        return {plan: folds_of(self.labels, groups) for plan, groups in plans.items()}


def probe_scores(evidence: Evidence, progress: Progress) -> dict[str, Score]:
    """Accuracy of the probe by `<view>/<plan>`.

    Views are the whole picture and the body alone. Plans: `random`, `near-copies` and `series` are 5-fold
    cross-validations over all images; `valid`, `test`, `test-without-copies`, `test-without-hidden-copies`,
    `test-hidden-copies` (cancers only), `test-without-conflicts` (in training) and `test-classes-by-position` are
    trained on train. Plans a data set has no images for are left out.

    Args:
        evidence: at most 2,000 of its images are used, the same share of each class of each split.
        progress: called as the probe goes on.
    """
    sample = _drawn(evidence)
    scores: dict[str, Score] = {}
    pictures = {
        "picture": evidence.scan.thumbnails[sample.rows],
        "body": evidence.scan.fingerprints[sample.rows].reshape(-1, HEIGHT, WIDTH),
    }
    for place, (view, images) in enumerate(pictures.items()):
        progress("probe", place / len(pictures), VIEWS[view])
        kernel = _kernel(hog_features(images))
        scores |= {f"{view}/{plan}": s for plan, s in _cross_validated(kernel, sample).items()}
        scores |= {f"{view}/{plan}": s for plan, s in _held_out(kernel, sample, evidence).items()}
    progress("probe", 1.0, "done")
    return scores


def folds_of(labels: NDArray[np.intp], groups: Sequence[str]) -> list[Fold]:
    """Grouped folds, five or as many as the class with the fewest groups allows; none below two."""
    groups_of = {label: {g for g, other in zip(groups, labels, strict=True) if other == label} for label in set(labels)}
    n_folds = min(_FOLDS, *(len(found) for found in groups_of.values()))
    return grouped_folds(labels, groups, n_folds, 0) if n_folds >= 2 and len(groups_of) > 1 else []


def _drawn(evidence: Evidence) -> _Sample:
    labels = evidence.labels()
    rows = np.arange(len(labels))
    if len(rows) > _MOST_IMAGES:
        strata: dict[tuple[str, int], list[int]] = {}
        for row, record in enumerate(evidence.records):
            strata.setdefault((record.split, int(labels[row])), []).append(row)
        rng = np.random.default_rng(0)
        share = _MOST_IMAGES / len(rows)
        drawn = [rng.permutation(of)[: max(1, round(share * len(of)))] for of in strata.values()]
        rows = np.sort(np.concatenate(drawn))
    return _Sample(
        rows=rows,
        labels=labels[rows],
        splits=np.array([evidence.records[row].split for row in rows]),
        near=[evidence.near.records[row].group for row in rows],
        series=[evidence.series.records[row].group for row in rows],
    )


def _kernel(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """The RBF kernel of all images with each other, its width scaled by the features' variance."""
    squares = np.einsum("ij,ij->i", features, features)
    distances = np.maximum(squares[:, None] + squares[None] - 2 * features @ features.T, 0)
    gamma = 1 / (features.shape[1] * max(float(features.var()), 1e-12))
    return np.asarray(np.exp(-gamma * distances), np.float64)


def _cross_validated(kernel: NDArray[np.float64], sample: _Sample) -> dict[str, Score]:
    found = {}
    for plan, folds in sample.folds.items():
        predicted = np.full(len(sample.labels), -1, np.intp)
        for train, held in folds:
            predicted[held] = _answers(kernel, sample.labels, train, held)
        if folds:
            found[plan] = score(predicted, sample.labels, sample.near)
    return found


def _held_out(kernel: NDArray[np.float64], sample: _Sample, evidence: Evidence) -> dict[str, Score]:
    train = np.flatnonzero(sample.splits == "train")
    if len(set(sample.labels[train])) < 2:
        return {}
    predicted = _answers(kernel, sample.labels, train, np.arange(len(sample.labels)))
    by_position = _by_position(evidence.near.class_names)
    found: dict[str, Score] = {}

    def add(plan: str, chosen: NDArray[np.bool_], answers: NDArray[np.intp] = predicted) -> None:
        rows = np.flatnonzero(chosen)
        if rows.size >= _LEAST_TESTED:
            found[plan] = score(answers[rows], sample.labels[rows], [sample.near[row] for row in rows])

    is_test = sample.splits == "test"
    seen = np.isin(sample.rows, list(seen_before(evidence)))
    fitted = {twin.left for twin in evidence.twins if twin.aligned > ALIGNED_COPY}
    hidden = np.isin(sample.rows, list(fitted))
    cancers = np.array([is_cancer(evidence.near.class_names[label]) for label in sample.labels])
    add("valid", sample.splits == "valid")
    add("test", is_test)
    add("test-without-copies", is_test & ~seen)
    add("test-without-hidden-copies", is_test & ~seen & ~hidden)
    add("test-hidden-copies", is_test & hidden & cancers)
    add("test-other-cancers", is_test & ~hidden & ~seen & cancers)
    if by_position is not None:
        add("test-classes-by-position", is_test, by_position[predicted])
    conflicting = {path for conflict in evidence.near.conflicts for path in conflict.paths}
    kept = np.array([evidence.records[sample.rows[row]].path not in conflicting for row in train], bool)
    if not kept.all():
        add("test-without-conflicts", is_test, _answers(kernel, sample.labels, train[kept], np.arange(len(seen))))
    return found


def _by_position(class_names: tuple[str, ...]) -> NDArray[np.intp] | None:
    """Where each index points when the list is read cancers first; None where that changes nothing."""
    by_hand = [n for n in class_names if is_cancer(n)] + [n for n in class_names if not is_cancer(n)]
    mapping = np.array([class_names.index(name) for name in by_hand], np.intp)
    return None if (mapping == np.arange(len(mapping))).all() else mapping


def _answers(
    kernel: NDArray[np.float64], labels: NDArray[np.intp], train: NDArray[np.intp], held: NDArray[np.intp]
) -> NDArray[np.intp]:
    from sklearn.svm import SVC

    machine = SVC(C=_PENALTY, kernel="precomputed").fit(kernel[np.ix_(train, train)], labels[train])
    return np.asarray(machine.predict(kernel[np.ix_(held, train)]), np.intp)
