"""What must hold before any work is done: enough slices of each class, and a place for the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.errors import TrainingFailed
from hilum.inference.bundle import MANIFEST
from hilum.training.corpus import Corpus


def require_replaceable(out: Path) -> None:
    """An earlier bundle may be replaced; a folder of anything else must not be lost to a mistyped path.

    Raises:
        TrainingFailed: `out` is there and is no bundle.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file()):
        raise TrainingFailed(f"{out} is there and is no bundle; name a new folder, or the bundle to replace")


def require_enough(corpus: Corpus) -> None:
    """Each class needs some slices, and of more than one group.

    Raises:
        TrainingFailed: one has too few.
    """
    if len(corpus.class_names) < 2:
        raise TrainingFailed("training needs at least two classes")
    counts = corpus.counts()
    groups = np.array(corpus.groups)
    for index, name in enumerate(corpus.class_names):
        if counts[name] < 5:
            raise TrainingFailed(
                f"class {name!r} has {counts[name]} usable slices outside the test set; training needs at least 5"
            )
        exact = (corpus.targets.sum(1) == 1) & (corpus.targets[:, index] == 1)
        if len(set(groups[exact])) < 2:
            raise TrainingFailed(
                f"the slices of class {name!r} all show the same slice or patient; "
                "training needs at least 2 different ones, one of them to be held out"
            )


def fewest_groups(strata: NDArray[np.int64], groups: Sequence[str]) -> int:
    """The number of groups of the stratum that has the fewest: no more folds can each hold one out."""
    named = np.array(groups)
    return min(len(set(named[strata == stratum])) for stratum in np.unique(strata))
