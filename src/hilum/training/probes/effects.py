"""What a change of the input did to the answers: figures overall and by true class. Knows no images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.evaluation import Figure, mean_figure
from hilum.training.probes.cases import Cases

_EITHER_WAY = (-1.0, 1.0)
"""Between what a fall of one slice may lie."""


@dataclass(frozen=True)
class ClassEffect:
    """One class's share of an effect.

    Attributes:
        n: slices of this true class.
        accuracy_drop: accuracy as it is, less accuracy after the change.
        probability_drop: mean fall of the true class's probability.
        probability_change: mean absolute change of it.
        n_answered: slices that the model answers with this class as they are.
        n_changed: how many of those get another answer after the change.
    """

    class_name: str
    n: int
    accuracy_drop: Figure
    probability_drop: Figure
    probability_change: Figure
    n_answered: int
    n_changed: int


@dataclass(frozen=True)
class Effect:
    """What one change did to all slices it was made to; the fields mean what they mean for a class."""

    n: int
    accuracy_drop: Figure
    probability_drop: Figure
    probability_change: Figure
    n_changed: int
    per_class: tuple[ClassEffect, ...]


def effect_of(cases: Cases, changed: NDArray[np.float64], chosen: NDArray[np.intp] | None = None) -> Effect:
    """Compares answers before and after a change.

    Args:
        cases: the slices and their answers as they are.
        changed: (N, C) the answers after the change.
        chosen: indices of the slices the change could be made to; all, where None.
    """
    rows = np.arange(len(cases)) if chosen is None else chosen
    labels, predicted, after = cases.labels[rows], cases.predicted[rows], changed[rows].argmax(axis=1)
    true = np.arange(len(rows)), labels
    drop = cases.probabilities[rows][true] - changed[rows][true]
    lost = (predicted == labels).astype(float) - (after == labels)
    return Effect(
        n=len(rows),
        accuracy_drop=mean_figure(lost, within=_EITHER_WAY),
        probability_drop=mean_figure(drop, within=_EITHER_WAY),
        probability_change=mean_figure(np.abs(drop)),
        n_changed=int((after != predicted).sum()),
        per_class=tuple(
            ClassEffect(
                class_name=name,
                n=int((labels == index).sum()),
                accuracy_drop=mean_figure(lost[labels == index], within=_EITHER_WAY),
                probability_drop=mean_figure(drop[labels == index], within=_EITHER_WAY),
                probability_change=mean_figure(np.abs(drop)[labels == index]),
                n_answered=int((predicted == index).sum()),
                n_changed=int(((predicted == index) & (after != index)).sum()),
            )
            for index, name in enumerate(cases.class_names)
        ),
    )
