"""Which predictions a person should label next: those the model is unsure of, and not all of one kind. No database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class UnlabelledPrediction:
    """A prediction that nobody has confirmed; probabilities by class."""

    id: str
    image_sha256: str
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Suggestion:
    """A prediction to label, and why."""

    prediction_id: str
    reason: str


def suggest(predictions: Sequence[UnlabelledPrediction], count: int) -> list[Suggestion]:
    """Chooses predictions one by one: each time the one whose entropy, times its distance to those chosen, is largest.

    Entropy is relative to the largest possible; the distance of two answers is half the sum of the differences of
    their probabilities (total variation), 0 for the same answer and 1 for two with nothing in common. So what is
    suggested is uncertain, and diverse (after Sener and Savarese, ICLR 2018, with answers in place of features).

    Args:
        predictions: the newest first; of one image only the newest counts.
        count: how many at the most.
    """
    distinct = list({one.image_sha256: one for one in reversed(predictions)}.values())[::-1]
    known = [one for one in distinct if len(one.probabilities) > 1]
    if not known:
        return []
    names = sorted({name for one in known for name in one.probabilities})
    answers = np.array([[one.probabilities.get(name, 0.0) for name in names] for one in known])  # (N, C)
    entropies = _relative_entropy(answers, [len(one.probabilities) for one in known])
    distances = np.ones(len(known))
    chosen: list[Suggestion] = []
    while len(chosen) < min(count, len(known)):
        worth = entropies * distances
        best = int(worth.argmax())
        if worth[best] <= 0:
            break
        chosen.append(Suggestion(known[best].id, _words(known[best], float(entropies[best]))))
        distances = np.minimum(distances, np.abs(answers - answers[best]).sum(axis=1) / 2)
        distances[best] = 0
    return chosen


def _relative_entropy(answers: NDArray[np.float64], n_classes: Sequence[int]) -> NDArray[np.float64]:
    entropy = -(answers * np.log(np.maximum(answers, 1e-12))).sum(axis=1)
    return np.asarray(np.clip(entropy, 0, None) / np.log(np.maximum(n_classes, 2)))


def _words(one: UnlabelledPrediction, entropy: float) -> str:
    first, second = sorted(one.probabilities.items(), key=lambda item: -item[1])[:2]
    said = f"between {first[0]} {first[1] * 100:.1f} % and {second[0]} {second[1] * 100:.1f} %"
    return f"{said}; uncertainty {entropy:.2f} of 1"
