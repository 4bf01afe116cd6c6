"""Cross-validation of a training recipe: what it scores under splits that lie and under splits that do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hilum.dataset.labels import cancer_classes
from hilum.dataset.splits import Fold
from hilum.evaluation import Evaluation, evaluate
from hilum.inference.calibration import calibrated_probabilities
from hilum.training.corpus import Corpus
from hilum.training.fit_settings import FitSettings
from hilum.training.fitter import Fitted, Fitter
from hilum.training.split_rows import ExternalRow, SplitRow


@dataclass(frozen=True)
class OutOfFold:
    """Answers for slices by models that were not trained on them.

    Attributes:
        logits: (N, C), NaN where no fold held the slice out.
        folds: the folds that were fitted.
        first: the first fold's fit.
    """

    logits: NDArray[np.float32]
    folds: tuple[Fold, ...]
    first: Fitted

    @property
    def covered(self) -> NDArray[np.intp]:
        """Indices of the slices that were held out."""
        return np.flatnonzero(~np.isnan(self.logits[:, 0]))


def fit_folds(
    fitter: Fitter, folds: Sequence[Fold], shape: tuple[int, int], settings: FitSettings, name: str
) -> OutOfFold:
    """Fits each fold and collects the answers for what it holds out.

    Args:
        fitter: the way of learning.
        folds: indices learnt and held out.
        shape: (N, C) of all slices and classes.
        settings: the schedule of every fold.
        name: of the folds, in progress and checkpoints.
    """
    logits = np.full(shape, np.nan, np.float32)
    fits = []
    for number, (learn, hold) in enumerate(folds, start=1):
        fits.append(fitter.fit(name if len(folds) == 1 else f"{name}-{number}", learn, hold, settings))
        logits[hold] = fits[-1].held_out_logits
    return OutOfFold(logits, tuple(folds), fits[0])


def random_folds(strata: NDArray[np.int64], n_folds: int, seed: int) -> list[Fold]:
    """Folds that ignore groups, so that copies and patients cross: the split that flatters, for comparison."""
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    return [(learn, hold) for learn, hold in splitter.split(np.zeros(len(strata)), strata)]


def split_truth(
    name: str, note: str, corpus: Corpus, logits: NDArray[np.float32], groups: Sequence[str] | None
) -> SplitRow:
    """Measures out-of-fold answers on the main data set's slices of known class.

    Args:
        name, note: see `SplitRow`.
        corpus: N slices.
        logits: (N, C), NaN where there is no answer.
        groups: (N,) resampled as wholes for the interval; None resamples slices.
    """
    rows = np.flatnonzero(_is_exact(corpus) & (corpus.source_of == 0) & ~np.isnan(logits[:, 0]))
    measured = evaluate(
        calibrated_probabilities(logits[rows], 1.0),
        corpus.targets[rows].argmax(1),
        corpus.class_names,
        groups=None if groups is None else [groups[row] for row in rows.tolist()],
    )
    return SplitRow(name, measured.n, measured.accuracy, measured.macro_f1, note)


def baselines(
    corpus: Corpus, features: NDArray[np.float32], folds: Sequence[Fold], groups: Sequence[str]
) -> list[SplitRow]:
    """Scores what any model must beat, on the same folds: the commonest class, and a linear model on frozen features.

    Args:
        corpus: N slices.
        features: (N, F) of the slices as served, from the ImageNet backbone.
        folds: as the model had.
        groups: (N,) for the intervals.
    """
    exact = _is_exact(corpus) & (corpus.source_of == 0)
    labels = corpus.targets.argmax(1)
    shape = corpus.targets.shape
    majority, linear = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for fold in folds:
        learn, hold = (part[exact[part]] for part in fold)
        majority[hold] = np.log(np.bincount(labels[learn], minlength=shape[1]) / len(learn) + 1e-9)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000))
        model.fit(features[learn], labels[learn])
        linear[hold] = -1e9
        linear[np.ix_(hold, model.classes_)] = model.predict_log_proba(features[hold])
    return [
        split_truth("baseline: majority class", "the commonest class, on the grouped folds", corpus, majority, groups),
        split_truth(
            "baseline: logistic regression",
            "on frozen ImageNet features, on the grouped folds",
            corpus,
            linear,
            groups,
        ),
    ]


def source_truth(name: str, note: str, corpus: Corpus, logits: NDArray[np.float32], source: int) -> ExternalRow | None:
    """Measures cancer against no cancer on one data set; None where it does not have both.

    A slice counts where all classes it may have are cancers, or none is.
    """
    measured = _cancer_evaluation(corpus, logits, source)
    if measured is None or measured.cancer is None:
        return None
    cancer = measured.cancer
    return ExternalRow(name, measured.n, cancer.auroc, cancer.sensitivity, cancer.specificity, note)


def leave_source_out(corpus: Corpus, source: int) -> Fold:
    """Everything but one data set to learn, that data set to answer for."""
    return np.flatnonzero(corpus.source_of != source), np.flatnonzero(corpus.source_of == source)


def series_of(corpus: Corpus, series: Mapping[str, str]) -> list[str]:
    """(N,) each slice's series, or its group where no series is known."""
    return [series.get(item.record.sha256, group) for item, group in zip(corpus.slices, corpus.groups, strict=True)]


def exact_slices(corpus: Corpus, logits: NDArray[np.float32]) -> NDArray[np.intp]:
    """Indices of the slices of known class that have an answer."""
    return np.flatnonzero(_is_exact(corpus) & ~np.isnan(logits[:, 0]))


def _is_exact(corpus: Corpus) -> NDArray[np.bool_]:
    return np.asarray(corpus.targets.sum(axis=1) == 1)


def _cancer_evaluation(corpus: Corpus, logits: NDArray[np.float32], source: int) -> Evaluation | None:
    is_cancer_class = np.isin(corpus.class_names, cancer_classes(corpus.class_names))
    n_cancers = corpus.targets[:, is_cancer_class].sum(axis=1)
    known = (n_cancers == 0) | (n_cancers == corpus.targets.sum(axis=1))
    rows = np.flatnonzero(known & (corpus.source_of == source) & ~np.isnan(logits[:, 0]))
    labels = (n_cancers[rows] > 0).astype(int)
    if len(set(labels.tolist())) < 2:
        return None
    cancer = calibrated_probabilities(logits[rows], 1.0)[:, is_cancer_class].sum(axis=1)
    return evaluate(
        np.column_stack([1 - cancer, cancer]),
        labels,
        ("normal", "cancer"),
        cancer_class_names=("cancer",),
        groups=[corpus.groups[row] for row in rows.tolist()],
    )
