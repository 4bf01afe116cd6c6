"""Divides a corpus into folds that no group crosses. Fits nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.splits import Fold, grouped_folds
from hilum.training.corpus import Corpus
from hilum.training.sufficiency import fewest_groups


def folds_by_group(corpus: Corpus, groups: Sequence[str], n_folds: int, seed: int) -> list[Fold]:
    """Folds that no group crosses; fewer of them where a class has fewer groups.

    Args:
        corpus: N slices.
        groups: (N,) which of them belong together.
        n_folds: at the most.
        seed: the same gives the same folds.
    """
    n_folds = min(n_folds, fewest_groups(corpus.classes, groups))
    return grouped_folds(strata_for(corpus, groups, n_folds), groups, n_folds, seed)


def strata_for(corpus: Corpus, groups: Sequence[str], n_folds: int) -> NDArray[np.int64]:
    """Each label of each data set; the classes alone where one label has too few groups to be in every fold."""
    return corpus.strata if fewest_groups(corpus.strata, groups) >= n_folds else corpus.classes
