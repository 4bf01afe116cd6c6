"""The slices that every probe changes: decoded once, with the answer to each as it is. Knows no particular change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hilum.cores import usable_cores
from hilum.imaging.body import Body
from hilum.imaging.preprocess import preprocess
from hilum.inference.predictor import Predictor

MAX_CASES = 500
"""More slices of a split than this are sampled: intervals shrink little then, and memory stays bounded."""

_BATCH = 8

_Result = TypeVar("_Result")

Pixels = NDArray[np.uint8] | NDArray[np.float32]
Change = Callable[[int], Pixels]
"""Takes a case's index and returns its changed pixels."""

Share = Callable[[float], None]
"""Told which share of the work is done."""


@dataclass(frozen=True)
class Cases:
    """N slices with labels, and a predictor to ask about them.

    Attributes:
        predictor: the model.
        slices: decoded pixels, each (H, W).
        bodies: where the body lies in each.
        file_formats: what each was decoded from.
        labels: (N,) class indices.
        probabilities: (N, C), the answers to the slices as they are.
        activation_maps: (N, h, w, C), signed, of the slices as they are.
    """

    predictor: Predictor
    slices: tuple[Pixels, ...]
    bodies: tuple[Body, ...]
    file_formats: tuple[str, ...]
    labels: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    activation_maps: NDArray[np.float32]

    @classmethod
    def of(
        cls, predictor: Predictor, slices: Sequence[Pixels], file_formats: Sequence[str], labels: NDArray[np.intp]
    ) -> Cases:
        """Finds the bodies and asks the model about each slice as it is."""
        settings = predictor.manifest.preprocessing
        bodies = tuple(settings.body_of(pixels) for pixels in slices)
        answers = [
            predictor.answer_tensors(preprocess(pixels, settings, body)[np.newaxis])
            for pixels, body in zip(slices, bodies, strict=True)
        ]
        return cls(
            predictor,
            tuple(slices),
            bodies,
            tuple(file_formats),
            np.asarray(labels, np.intp),
            np.concatenate([answer.probabilities for answer in answers]),
            np.concatenate([answer.activation_maps for answer in answers]),
        )

    def __len__(self) -> int:
        return len(self.slices)

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the labels."""
        return self.predictor.manifest.class_names

    @property
    def predicted(self) -> NDArray[np.intp]:
        """(N,) the class answered for each slice as it is."""
        return np.asarray(self.probabilities.argmax(axis=1), np.intp)

    def tensor(self, index: int) -> NDArray[np.float32]:
        """(side, side, 1), what the model sees of a slice as it is."""
        return preprocess(self.slices[index], self.predictor.manifest.preprocessing, self.bodies[index])

    def answers(self, change: Change, on_share: Share) -> NDArray[np.float64]:
        """Asks about each slice after a change, through body finding and preprocessing as a served slice goes.

        Returns:
            (N, C) calibrated probabilities.
        """
        settings = self.predictor.manifest.preprocessing

        def answer(start: int) -> NDArray[np.float64]:
            batch = range(start, min(start + _BATCH, len(self)))
            tensors = np.stack([preprocess(change(index), settings) for index in batch])
            return self.predictor.answer_tensors(tensors).probabilities

        return np.concatenate(in_parallel(answer, range(0, len(self), _BATCH), on_share))


def in_parallel(work: Callable[[int], _Result], items: Sequence[int], on_share: Share) -> list[_Result]:
    """Works on every item, on all cores that this process may use, and returns the results in order.

    OpenCV and the engine work without the interpreter's lock; an engine of one thread in each of several threads does
    more than several threads in one engine.
    """
    results = []
    with ThreadPoolExecutor(usable_cores()) as pool:
        try:
            for done, result in enumerate(pool.map(work, items), start=1):
                results.append(result)
                on_share(done / len(items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # else what waits is done first
            raise
    return results


def part(on_share: Share, done: int, of: int) -> Share:
    """Tells the whole's share where the `done`-th of `of` parts tells its own."""
    return lambda share: on_share((done + share) / of)


def sampled(n: int, seed: int) -> NDArray[np.intp]:
    """Sorted indices of the slices that are probed: all, or `MAX_CASES` at random."""
    if n <= MAX_CASES:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, MAX_CASES, replace=False))


def like(values: NDArray[Any], pixels: Pixels) -> Pixels:
    """Grey values clipped to 0..255, in whole steps where the slice has whole steps."""
    clipped = np.clip(values, 0, 255)
    return np.rint(clipped).astype(np.uint8) if pixels.dtype == np.uint8 else clipped.astype(np.float32)
