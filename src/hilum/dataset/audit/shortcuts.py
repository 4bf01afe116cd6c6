"""How well what is no anatomy predicts the class: format, size, border, grey values. Needs scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.appearance import ASPECTS, columns_of
from hilum.dataset.audit.evidence import Evidence, Progress, is_cancer
from hilum.dataset.audit.finding import Finding, Score
from hilum.dataset.audit.interval import score
from hilum.dataset.audit.probe import folds_of
from hilum.dataset.splits import Fold

_MOST_IMAGES = 3000
_TREES = 100
_STRONG, _WEAK = 0.75, 0.15
"""A shortcut is reported where it closes this share of the gap from guessing to always right."""


@dataclass(frozen=True)
class Shortcut:
    """How well one aspect alone predicts the class, balanced accuracy in folds grouped by series.

    Attributes:
        aspect: a key of `ASPECTS`.
        all_classes: over all classes.
        cancer: cancer against the rest; None where there are not both.
        medians: of the figure that differs most between the classes, by class.
        figure: its name.
    """

    aspect: str
    all_classes: Score
    cancer: Score | None
    medians: dict[str, float]
    figure: str

    @property
    def best(self) -> Score:
        """The question it answers better: cancer against the rest, or the class."""
        return self.cancer if self.cancer and self.cancer.value > self.all_classes.value else self.all_classes

    @property
    def strength(self) -> float:
        """Share of the way from guessing to always right, the better of the two questions."""
        asked = [s for s in (self.all_classes, self.cancer) if s is not None]
        return max((s.value - s.majority) / (1 - s.majority) for s in asked)


def measure_shortcuts(evidence: Evidence, progress: Progress) -> list[Shortcut]:
    """Every aspect's balanced accuracy on distinct images, in folds that no series crosses."""
    rows = _drawn(evidence)
    labels = evidence.labels()[rows]
    groups = [evidence.series.records[row].group for row in rows]
    names = evidence.near.class_names
    cancer = np.array([is_cancer(names[label]) for label in labels], np.intp)
    folds, cancer_folds = folds_of(labels, groups), folds_of(cancer, groups)
    found = []
    for place, aspect in enumerate(ASPECTS):
        progress("shortcuts", place / len(ASPECTS), aspect)
        columns = columns_of(aspect)
        features = evidence.scan.appearance[rows][:, columns]
        if not (overall := _score(features, labels, groups, folds)):
            continue
        figure, medians = _most_telling(features, labels, [ASPECTS[aspect][k] for k in range(len(columns))], names)
        found.append(Shortcut(aspect, overall, _score(features, cancer, groups, cancer_folds), medians, figure))
    progress("shortcuts", 1.0, "done")
    return found


def shortcut_findings(shortcuts: list[Shortcut]) -> list[Finding]:
    """One finding for each aspect that tells the class better than guessing does."""
    return [_finding(s) for s in shortcuts if s.strength >= _WEAK and s.best.low > s.best.majority]


def _finding(shortcut: Shortcut) -> Finding:
    overall, cancer = shortcut.all_classes, shortcut.cancer
    said = f"{overall} balanced accuracy over the classes (guessing {overall.majority:.1%}, n = {overall.n})"
    if cancer:
        said = f"{cancer} for cancer against the rest (guessing {cancer.majority:.1%}), {said}"
    medians = ", ".join(f"{name} {value:.3g}" for name, value in shortcut.medians.items())
    figures: dict[str, float | int | str] = {
        "balanced_accuracy": overall.value, "low": overall.low, "high": overall.high, "n": overall.n,
        "guessing": overall.majority, "strength": shortcut.strength, "telling_figure": shortcut.figure,
        **{f"median_{name}": value for name, value in shortcut.medians.items()},
    }  # fmt: skip
    if cancer:
        figures |= {"cancer_balanced_accuracy": cancer.value, "cancer_low": cancer.low, "cancer_high": cancer.high}
    best = shortcut.best
    return Finding(
        code="shortcut-" + shortcut.aspect.replace(" ", "-"),
        severity="warning" if shortcut.strength >= _STRONG else "note",
        sentence=(
            f"By {shortcut.aspect} alone, without any anatomy, the class can be "
            f"{'told' if shortcut.strength >= _STRONG else 'guessed in part'}: "
            f"{said}; median {shortcut.figure} by class: {medians}."
        ),
        figures=figures,
        files=(),
        remedy="Preprocess it away (crop to the body, level the grey values), augment it, and test on other sources.",
        effect=f"A model can score {best.value:.1%} balanced on this data by {shortcut.aspect} alone; so far a high "
        "score proves nothing about disease.",
    )


def _drawn(evidence: Evidence) -> NDArray[np.intp]:
    first_of: dict[str, int] = {}
    for row, record in enumerate(evidence.records):
        first_of.setdefault(record.sha256, row)
    rows = np.array(list(first_of.values()), np.intp)
    return np.sort(np.random.default_rng(0).permutation(rows)[:_MOST_IMAGES])


def _score(
    features: NDArray[np.float32], labels: NDArray[np.intp], groups: list[str], folds: list[Fold]
) -> Score | None:
    from sklearn.ensemble import ExtraTreesClassifier

    if not folds:
        return None
    if not np.ptp(features, axis=0).any():  # nothing differs: weighted trees would answer by chance of the folds
        return score(np.full(len(labels), np.bincount(labels).argmax(), np.intp), labels, groups, is_balanced=True)
    predicted = np.empty(len(labels), np.intp)
    for train, held in folds:
        trees = ExtraTreesClassifier(_TREES, min_samples_leaf=2, class_weight="balanced", random_state=0)
        predicted[held] = trees.fit(features[train], labels[train]).predict(features[held])
    return score(predicted, labels, groups, is_balanced=True)


def _most_telling(
    features: NDArray[np.float32], labels: NDArray[np.intp], figures: list[str], class_names: tuple[str, ...]
) -> tuple[str, dict[str, float]]:
    """The figure whose class means are furthest apart for its spread, and its median in each class."""
    means = np.stack([features[labels == label].mean(axis=0) for label in np.unique(labels)])
    place = int((means.std(axis=0) / np.maximum(features.std(axis=0), 1e-6)).argmax())
    medians = {
        class_names[label]: float(np.median(features[labels == label, place])) for label in np.unique(labels).tolist()
    }
    return figures[place], medians
