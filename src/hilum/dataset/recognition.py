"""Which of many known slices a new one shows, whatever its crop: sketches find candidates, fingerprints decide.

What counts is what the audit counts: near copies, and one slice under another crop. Knows no label, no file, no split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.alignment import ALIGNED_COPY, aligned_cosine
from hilum.dataset.groups import NEAR_COPY
from hilum.dataset.neighbours import unit_vectors
from hilum.dataset.sketch import SKETCH_SIZE

Fingerprints = Callable[[Sequence[int]], NDArray[np.uint8]]
"""Gives the fingerprints of known slices, (N, 6912) uint8, by their numbers."""

_SLACK = 0.1
"""By how much a sketch's cosine may fall below its fingerprint's: three standard errors at 0.8."""

_MOST_COMPARED, _MOST_FITTED = 16, 4
_WORTH_FITTING = 0.8


@dataclass(frozen=True)
class Match:
    """A known slice that shows what a new one shows.

    Attributes:
        number: of the known slice.
        kind: `near-copy`, or `same-slice` where only fitting one body onto the other tells.
        likeness: cosine, fitted for `same-slice`.
    """

    number: int
    kind: Literal["near-copy", "same-slice"]
    likeness: float


class KnownSlices:
    """Sketches of known slices, half a kilobyte each; their fingerprints stay where they are until they are asked for.

    Not safe to add to from several threads.
    """

    def __init__(self, fingerprints: Fingerprints) -> None:
        """Begins without a slice.

        Args:
            fingerprints: gives those of slices that were added.
        """
        self._fingerprints = fingerprints
        self._sketches = np.zeros((256, SKETCH_SIZE), np.float32)
        self._numbers = np.zeros(256, np.intp)
        self._count = 0

    def add(self, number: int, sketch: NDArray[np.float32]) -> None:
        """Adds a slice by its number and its (128,) sketch."""
        if self._count == len(self._numbers):
            self._sketches = np.concatenate([self._sketches, np.zeros_like(self._sketches)])
            self._numbers = np.concatenate([self._numbers, np.zeros_like(self._numbers)])
        self._sketches[self._count] = sketch
        self._numbers[self._count] = number
        self._count += 1

    def matches(self, fingerprint: NDArray[np.uint8], sketch: NDArray[np.float32]) -> list[Match]:
        """The known slices that this one shows, the most alike first; of many, the nearest sixteen.

        Args:
            fingerprint: (6912,) uint8.
            sketch: (128,) float32.
        """
        likely = self._candidates(sketch)
        if not likely.size:
            return []
        numbers = [int(number) for number in likely]
        prints = self._fingerprints(numbers)
        units = unit_vectors(np.concatenate([fingerprint[np.newaxis], prints]))
        cosines = units[1:] @ units[0]
        order = np.argsort(-cosines, kind="stable")
        near = [Match(numbers[at], "near-copy", float(cosines[at])) for at in order if cosines[at] > NEAR_COPY]
        if near:
            return near
        worth = [at for at in order[:_MOST_FITTED] if cosines[at] >= _WORTH_FITTING]
        fits = [Match(numbers[at], "same-slice", aligned_cosine(fingerprint, prints[at])) for at in worth]
        return sorted((fit for fit in fits if fit.likeness > ALIGNED_COPY), key=lambda fit: -fit.likeness)

    def _candidates(self, sketch: NDArray[np.float32]) -> NDArray[np.intp]:
        """Numbers of the slices whose sketches are nearest, of those that may be near copies or fit."""
        cosines = self._sketches[: self._count] @ sketch
        order = np.argsort(-cosines, kind="stable")[:_MOST_COMPARED]
        return self._numbers[: self._count][order[cosines[order] >= _WORTH_FITTING - _SLACK]]
