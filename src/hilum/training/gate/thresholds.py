"""Chooses below which score a gate refuses and below which it warns. Knows scores only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hilum.evaluation import share_figure

REFUSED_AT_WORST = 0.012
"""Upper end of the interval of the share of held-out chest slices, labels as delivered, that may be refused."""

UNUSUAL_SHARE = 0.03
"""Of held-out chest slices at most so many are refused or let through with a warning."""

_REFUSE_RANGE, _UNUSUAL_RANGE = (0.01, 0.3), (0.1, 0.9)
"""What the thresholds may be, however few or easy the slices are that they are chosen by."""


def choose_thresholds(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Where to refuse and where to warn, from the scores of held-out chest slices alone.

    Slices of series the fit has not seen are refused more often than the share of a few hundred held-out ones says,
    so its interval counts where slices are refused, and not the share.
    """
    ordered = np.sort(scores)

    def below(count: int, low: float, high: float) -> float:
        chosen = float(np.clip(ordered[count], low, high))
        return int(chosen * 1e4 + 1e-6) / 1e4  # rounded down, or one more would be refused

    refuse = below(most_refused(len(ordered)), *_REFUSE_RANGE)
    return refuse, max(refuse, below(int(UNUSUAL_SHARE * len(ordered)), *_UNUSUAL_RANGE))


def most_refused(n: int) -> int:
    """How many of `n` held-out slices may be refused: none where `n` is too small to show that few would be."""
    return next((count for count in range(n - 1, 0, -1) if (share_figure(count, n).high or 1) <= REFUSED_AT_WORST), 0)
