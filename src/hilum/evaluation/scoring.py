"""Turns probabilities and labels into an evaluation with intervals. Knows neither models nor images."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilum.evaluation.intervals import Intervals
from hilum.evaluation.measures import N_BINS, Case, Floats, confusion, measure, reliability, roc_points
from hilum.evaluation.results import CancerFigures, ClassFigures, Evaluation, ReliabilityBin

_WEIGHTS_IN_MEMORY = 2_000_000


def evaluate(
    probabilities: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    *,
    cancer_class_names: Sequence[str] = (),
    cancer_threshold: float = 0.5,
    n_bootstrap: int = 2000,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
) -> Evaluation:
    """Measures a classifier, each figure with a 95 % percentile bootstrap interval (Efron 1979).

    Where all images are right or all wrong, that interval has no width; `Intervals` says what is given instead.

    Args:
        probabilities: (N, C) float, rows sum to 1.
        labels: (N,) indices into `class_names`.
        class_names: C names in the order of the columns.
        cancer_class_names: the classes that are cancers; with none, or with all, cancer is not evaluated.
        cancer_threshold: summed cancer probability from which an image counts as called cancer.
        n_bootstrap: resamples; 0 leaves the intervals out.
        seed: of the resampling.
        groups: (N,) which images belong together (patient, series, copies); groups are then resampled instead of
            images, because images of one patient are not independent.

    Raises:
        ValueError: the arrays do not fit each other, or are no probabilities.
    """
    case = _case(probabilities, labels, class_names, cancer_class_names, cancer_threshold)
    n = len(case.labels)
    group_of = group_indices(groups, n)
    everything = np.ones((1, n))
    estimates = measure(case, everything)
    rng = np.random.default_rng(seed)
    replicates = [measure(case, weights) for weights in resamples(rng, group_of, n_bootstrap)]
    drawn = {name: np.concatenate([one[name] for one in replicates]) for name in estimates} if replicates else {}
    figures = Intervals(case, group_of, estimates, drawn)
    matrix = confusion(case, everything)[0].astype(int)
    return Evaluation(
        n=n,
        class_names=tuple(class_names),
        cancer_class_names=tuple(cancer_class_names),
        **{name: figures.get(name) for name in _OVERALL},
        per_class=tuple(_class_figures(case, figures, matrix, c, name) for c, name in enumerate(class_names)),
        cancer=_cancer_figures(case, figures),
        confusion_matrix=tuple(tuple(int(cell) for cell in row) for row in matrix),
        reliability=_reliability_bins(case),
        n_bootstrap=n_bootstrap,
        seed=seed,
        n_groups=None if groups is None else int(group_of.max()) + 1,
        notes=_notes(matrix, class_names),
    )


_OVERALL = (
    "accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "weighted_precision",
    "weighted_recall",
    "weighted_f1",
    "macro_auroc",
    "expected_calibration_error",
    "brier_score",
    "log_loss",
)


def _case(
    probabilities: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    cancer_class_names: Sequence[str],
    cancer_threshold: float,
) -> Case:
    scores, truth = np.asarray(probabilities, np.float64), np.asarray(labels)
    if scores.ndim != 2 or scores.shape[1] != len(class_names) or truth.shape != scores.shape[:1] or not truth.size:
        raise ValueError(
            f"Probabilities (N, {len(class_names)}) and labels (N,) with N > 0 are needed; "
            f"these have the shapes {scores.shape} and {truth.shape}."
        )
    if not (np.isfinite(scores).all() and scores.min() >= 0 and np.abs(scores.sum(axis=1) - 1).max() < 1e-3):
        raise ValueError("Each row of the probabilities must be finite, not negative and sum to 1.")
    if not np.issubdtype(truth.dtype, np.integer) or truth.min() < 0 or truth.max() >= len(class_names):
        raise ValueError(f"Labels must be integers from 0 to {len(class_names) - 1}.")
    if unknown := set(cancer_class_names) - set(class_names):
        raise ValueError(f"The cancer classes {sorted(unknown)} are not among {list(class_names)}.")
    is_cancer = np.array([name in cancer_class_names for name in class_names])
    if is_cancer.all():
        is_cancer[:] = False
    return Case(scores, truth.astype(np.intp), is_cancer, cancer_threshold)


def group_indices(groups: Sequence[Hashable] | None, n: int) -> NDArray[np.intp]:
    """(N,) each image's group as a number from 0; without groups each image is its own.

    Raises:
        ValueError: there is not one group for each image.
    """
    if groups is None:
        return np.arange(n)
    if len(groups) != n:
        raise ValueError(f"{n} images need {n} groups; {len(groups)} were given.")
    index: dict[Hashable, int] = {}
    return np.array([index.setdefault(group, len(index)) for group in groups], np.intp)


def resamples(rng: np.random.Generator, group_of: NDArray[np.intp], count: int) -> Iterator[Floats]:
    """Yields (b, N) weights, `count` rows in all: how often each image is drawn when groups are, with replacement."""
    n_groups = int(group_of.max()) + 1
    at_once = max(1, _WEIGHTS_IN_MEMORY // len(group_of))
    for start in range(0, count, at_once):
        rows = min(at_once, count - start)
        drawn = rng.integers(0, n_groups, (rows, n_groups)) + np.arange(rows)[:, None] * n_groups
        counts = np.bincount(drawn.reshape(-1), minlength=rows * n_groups).reshape(rows, n_groups)
        yield counts[:, group_of].astype(np.float64)


def _class_figures(case: Case, figures: Intervals, matrix: NDArray[np.int_], c: int, name: str) -> ClassFigures:
    support, predicted = int(matrix[c].sum()), int(matrix[:, c].sum())
    return ClassFigures(
        class_name=name,
        support=support,
        predicted=predicted,
        precision=figures.get("precision", c),
        recall=figures.get("recall", c),
        f1=figures.get("f1", c),
        auroc=figures.get("auroc", c),
        roc=roc_points(case.probabilities[:, c], case.labels == c),
    )


def _cancer_figures(case: Case, figures: Intervals) -> CancerFigures | None:
    if not case.is_cancer.any():
        return None
    return CancerFigures(
        threshold=case.threshold,
        auroc=figures.get("cancer_auroc"),
        sensitivity=figures.get("sensitivity"),
        specificity=figures.get("specificity"),
    )


def _reliability_bins(case: Case) -> tuple[ReliabilityBin, ...]:
    counts, confidences, hits = (sums[0] for sums in reliability(case, np.ones((1, len(case.labels)))))
    return tuple(
        ReliabilityBin(
            lower=b / N_BINS,
            upper=(b + 1) / N_BINS,
            n=int(counts[b]),
            mean_confidence=float(confidences[b] / counts[b]) if counts[b] else None,
            accuracy=float(hits[b] / counts[b]) if counts[b] else None,
        )
        for b in range(N_BINS)
    )


def _notes(matrix: NDArray[np.int_], class_names: Sequence[str]) -> tuple[str, ...]:
    notes = []
    for name, support, predicted in zip(class_names, matrix.sum(axis=1), matrix.sum(axis=0), strict=True):
        if not support:
            notes.append(
                f"No image is of class {name}: its recall counts as 0, its AUROC and the macro AUROC are undefined."
            )
        elif support == matrix.sum():
            notes.append(f"Every image is of class {name}: AUROC is undefined.")
        if not predicted:
            notes.append(f"No image is predicted as {name}: its precision counts as 0.")
    return tuple(notes)
