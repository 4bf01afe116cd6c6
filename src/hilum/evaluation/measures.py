"""Every measure as a function of image weights, so that an estimate and its bootstrap share one implementation.

Weights of one give the estimate; each row of resampling counts gives one bootstrap replicate. Knows arrays only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

N_BINS = 15
"""Equal-width bins of the expected calibration error (Guo et al., ICML 2017)."""

PROBABILITY_FLOOR = float(np.finfo(np.float64).eps)
"""What a probability counts as at the least where its logarithm is taken."""


@dataclass(frozen=True)
class Case:
    """What is evaluated.

    Attributes:
        probabilities: (N, C), rows sum to 1.
        labels: (N,) class indices.
        is_cancer: (C,) which classes are cancers; none of them where cancer is not evaluated.
        threshold: of the summed cancer probability.
    """

    probabilities: Floats
    labels: NDArray[np.intp]
    is_cancer: NDArray[np.bool_]
    threshold: float

    @property
    def predicted(self) -> NDArray[np.intp]:
        """(N,) the class of highest probability, the first one of equals."""
        return np.asarray(self.probabilities.argmax(axis=1), np.intp)

    @property
    def cancer_probabilities(self) -> Floats:
        """(N,) summed over the cancer classes."""
        # Rounded, or the order of summation would break ties in the ranking.
        return np.asarray(self.probabilities[:, self.is_cancer].sum(axis=1).round(12), np.float64)


def measure(case: Case, weights: Floats) -> dict[str, Floats]:
    """Computes all measures for each row of weights.

    Args:
        case: N images, C classes.
        weights: (B, N) how often each image counts.

    Returns:
        Arrays of shape (B,), and (B, C) for `precision`, `recall`, `f1` and `auroc`; undefined AUROCs are NaN.
    """
    count = case.probabilities.shape[1]
    measures = confusion_measures(confusion(case, weights))
    measures["auroc"] = np.stack(
        [auroc(case.probabilities[:, c], case.labels == c, weights) for c in range(count)], axis=1
    )
    measures["macro_auroc"] = measures["auroc"].mean(axis=1)
    total = weights.sum(axis=1)
    true_probability = case.probabilities[np.arange(len(case.labels)), case.labels]
    squared = ((case.probabilities - np.eye(count)[case.labels]) ** 2).sum(axis=1)
    measures["log_loss"] = weights @ -np.log(np.clip(true_probability, PROBABILITY_FLOOR, 1.0)) / total
    measures["brier_score"] = weights @ squared / total
    n, confidence, correct = reliability(case, weights)
    measures["expected_calibration_error"] = np.abs(correct - confidence).sum(axis=1) / n.sum(axis=1)
    if case.is_cancer.any():
        measures |= _cancer_measures(case, weights)
    return measures


def confusion(case: Case, weights: Floats) -> Floats:
    """(B, C, C) weighted confusion matrices, true classes in rows."""
    count = case.probabilities.shape[1]
    cells = np.eye(count * count)[case.labels * count + case.predicted]  # (N, C * C)
    return np.asarray(weights @ cells, np.float64).reshape(-1, count, count)


def confusion_measures(matrices: Floats) -> dict[str, Floats]:
    """Measures of the predicted class from (B, C, C) confusion matrices; a division by zero gives 0."""
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    support, predicted = matrices.sum(axis=2), matrices.sum(axis=1)  # (B, C)
    total = support.sum(axis=1)
    by_class = {
        "precision": _ratio(hits, predicted),
        "recall": _ratio(hits, support),
        "f1": _ratio(2 * hits, support + predicted),
    }
    measures = dict(by_class)
    for name, values in by_class.items():
        measures[f"macro_{name}"] = values.mean(axis=1)
        measures[f"weighted_{name}"] = (values * support).sum(axis=1) / total
    measures["accuracy"] = hits.sum(axis=1) / total
    measures["balanced_accuracy"] = by_class["recall"].sum(axis=1) / (support > 0).sum(axis=1)
    return measures


def auroc(scores: Floats, is_positive: NDArray[np.bool_], weights: Floats) -> Floats:
    """Area under the ROC curve by ranks: the weighted Mann-Whitney statistic, ties counted half.

    Args:
        scores: (N,), higher means positive.
        is_positive: (N,).
        weights: (B, N).

    Returns:
        (B,), NaN where a row gives weight to one side only.
    """
    order = np.argsort(scores, kind="stable")
    ascending = scores[order]
    starts = np.flatnonzero(np.r_[True, ascending[1:] != ascending[:-1]])
    ranked, sides = weights[:, order], is_positive[order]
    positive = np.add.reduceat(ranked * sides, starts, axis=1)  # (B, distinct scores)
    negative = np.add.reduceat(ranked * ~sides, starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    won = (positive * below).sum(axis=1)
    return _ratio(won, pairs, otherwise=np.nan)


def reliability(case: Case, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Per bin of the top probability: weight, summed top probability, summed hits; each (B, 15)."""
    top = case.probabilities.max(axis=1)
    bins = np.clip(np.ceil(top * N_BINS).astype(np.intp) - 1, 0, N_BINS - 1)
    member = np.eye(N_BINS)[bins]  # (N, 15)
    hits = (case.predicted == case.labels).astype(np.float64)
    return weights @ member, weights @ (member * top[:, None]), weights @ (member * hits[:, None])


def roc_points(scores: Floats, is_positive: NDArray[np.bool_], at_most: int = 100) -> tuple[tuple[float, float], ...]:
    """The ROC curve's corners, thinned evenly where there are more than `at_most`; empty where undefined."""
    positives, negatives = int(is_positive.sum()), int((~is_positive).sum())
    if not positives or not negatives:
        return ()
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True])
    rates = np.stack([np.cumsum(~is_positive[order]) / negatives, np.cumsum(is_positive[order]) / positives], axis=1)
    points = np.concatenate([[[0.0, 0.0]], rates[last_of_ties]])
    steps = np.diff(points, axis=0)
    turns = steps[:-1, 0] * steps[1:, 1] - steps[:-1, 1] * steps[1:, 0]
    corners = points[np.r_[True, np.abs(turns) > 1e-15, True]]
    if len(corners) > at_most:
        corners = corners[np.linspace(0, len(corners) - 1, at_most).round().astype(np.intp)]
    return tuple((float(x), float(y)) for x, y in corners)


def _cancer_measures(case: Case, weights: Floats) -> dict[str, Floats]:
    truth, score = case.is_cancer[case.labels], case.cancer_probabilities
    called = score >= case.threshold
    return {
        "cancer_auroc": auroc(score, truth, weights),
        "sensitivity": _ratio(weights @ (truth & called), weights @ truth, otherwise=np.nan),
        "specificity": _ratio(weights @ (~truth & ~called), weights @ ~truth, otherwise=np.nan),
    }


def _ratio(above: Floats, below: Floats, otherwise: float = 0.0) -> Floats:
    ratio = np.full(above.shape, otherwise)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio
