"""Says whether a decoded picture is an axial chest CT slice, and what else it looks like. Knows no classifier."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.errors import BundleInvalid, NotAChestCt
from hilum.imaging.histogram import percentiles_of
from hilum.imaging.overview import HIGHEST, LOWEST, Overview, overview_of, size_within
from hilum.imaging.phantoms import draw_phantom
from hilum.inference.engines import open_session
from hilum.inference.gate_manifest import CHEST, GateManifest

GATE = "gate.onnx"
UNUSUAL = "unusual-for-a-chest-ct"
"""The warning of a picture that is let through although the gate is not sure of it."""

GOLDEN_TOLERANCE = 0.02
_MIN_SPAN = 8.0
"""Grey levels, of 255, that a picture is stretched from at the least: less is noise."""


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one picture.

    Attributes:
        score: how much the picture looks like an axial chest CT slice, 0 to 1.
        kind: what it looks like most.
        looks_like: the most likely kind other than a chest CT, in words that follow "looks like".
        is_refused: it is something else.
        is_unusual: it is let through, but a person should look.
    """

    score: float
    kind: str
    looks_like: str
    is_refused: bool
    is_unusual: bool


class Gate:
    """A bundle's gate, loaded. Safe to call from several threads."""

    def __init__(self, graph: Path, settings: GateManifest, *, threads: int = 1) -> None:
        """Loads the graph.

        Args:
            graph: an ONNX file, (N, side, side, 1) in [0, 1] -> `logits` (N, kinds); run for one picture at a time.
            settings: the bundle's section `gate`.
            threads: cores one call may use.

        Raises:
            BundleInvalid: the file is no such graph, or does not judge its golden phantoms as when it was made.
        """
        self.settings = settings
        self._session = open_session(graph, threads=threads, one_at_a_time=True)
        self._input = self._session.get_inputs()[0].name
        self._chest = settings.kinds.index(CHEST)
        self._check_golden(graph.name)

    def judge(self, pixels: NDArray[np.uint8] | NDArray[np.float32], *, overview: Overview | None = None) -> Verdict:
        """Judges one decoded picture.

        Args:
            pixels: (H, W) grey values on the 0..255 scale.
            overview: of `pixels`, where the caller has it already.
        """
        settings = self.settings
        if settings.sees_overview:
            picture = overview_picture(overview or overview_of(pixels), settings.side)
        else:
            picture = gate_picture(pixels, settings.side)
        scores = self.scores(picture)
        score = scores[self._chest]
        kind = settings.kinds[scores.index(max(scores))]
        scores[self._chest] = -1.0
        is_refused = score < settings.refuse_below
        return Verdict(
            score=score,
            kind=kind,
            looks_like=settings.words[settings.kinds[scores.index(max(scores))]],
            is_refused=is_refused,
            is_unusual=not is_refused and score < settings.unusual_below,
        )

    def admit(
        self,
        pixels: NDArray[np.uint8] | NDArray[np.float32],
        *,
        overview: Overview | None = None,
        refuses: bool = True,
    ) -> tuple[str, ...]:
        """Lets a chest CT slice through.

        Args:
            pixels: (H, W) grey values on the 0..255 scale.
            overview: of `pixels`, where the caller has it already.
            refuses: False lets everything through, with the warning.

        Returns:
            The warnings: none, or `unusual-for-a-chest-ct`.

        Raises:
            NotAChestCt: the picture is something else.
        """
        verdict = self.judge(pixels, overview=overview)
        if verdict.is_refused and refuses:
            limit = self.settings.refuse_below
            raise NotAChestCt(
                f"The picture looks like {verdict.looks_like}, not like an axial chest CT slice.",
                reasons=(
                    f"looks like {verdict.looks_like}",
                    f"likeness to an axial chest CT slice is {verdict.score:.3f}; at least {limit:.3f} is needed",
                ),
                limit=limit,
                actual=round(verdict.score, 6),
            )
        return (UNUSUAL,) if verdict.is_unusual or verdict.is_refused else ()

    def scores(self, picture: NDArray[np.float32]) -> list[float]:
        """Probabilities, in the order of the kinds, of a picture as the gate sees it, (side, side, 1)."""
        (logits,) = self._session.run(["logits"], {self._input: picture[np.newaxis]})
        given = logits[0].tolist()
        highest = max(given)
        exponentials = [math.exp(logit - highest) for logit in given]
        total = sum(exponentials)
        return [exponential / total for exponential in exponentials]

    def _check_golden(self, name: str) -> None:
        for golden in self.settings.golden:
            try:
                score = self.judge(draw_phantom(golden.phantom_seed)).score
            except Exception as error:
                raise BundleInvalid(f"{name} cannot be run: {error}") from error
            if not abs(score - golden.chest_score) <= GOLDEN_TOLERANCE:  # also refuses NaN
                raise BundleInvalid(
                    f"{name} scores golden phantom {golden.phantom_seed} {score:.3f} and not {golden.chest_score:.3f}, "
                    "as when it was made; restore the bundle from its source"
                )


def overview_picture(overview: Overview, side: int) -> NDArray[np.float32]:
    """The whole picture as the gate sees it, made from its overview: reduced once more, centred on black.

    Returns:
        (side, side, 1) float32 in [0, 1].
    """
    across, down = size = size_within(overview.grey.shape, side)
    small = cv2.resize(overview.grey, size, interpolation=cv2.INTER_LINEAR)  # a tenth of INTER_AREA's time
    picture, inside = _black(side, across, down)
    np.multiply(small, np.float32(min(1.0, overview.span / _MIN_SPAN) / 255), out=inside)
    return picture


def gate_picture(pixels: NDArray[np.uint8] | NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The whole picture as gates without `sees_overview` see it: reduced in one step, centred on black, stretched.

    Args:
        pixels: (H, W) grey values on the 0..255 scale.
        side: of the square.

    Returns:
        (side, side, 1) float32 in [0, 1].
    """
    across, down = size = size_within(pixels.shape, side)
    is_smaller = side < max(pixels.shape)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR)
    low, high = percentiles_of(small, LOWEST, HIGHEST)
    gain = 1 / max(high - low, _MIN_SPAN)
    picture, inside = _black(side, across, down)
    np.clip(small.astype(np.float32) * np.float32(gain) - np.float32(low * gain), 0, 1, out=inside)
    return picture


def _black(side: int, across: int, down: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A black square (side, side, 1), and the part (down, across) in its middle."""
    picture = np.zeros((side, side, 1), np.float32)
    top, left = (side - down) // 2, (side - across) // 2
    return picture, picture[top : top + down, left : left + across, 0]


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities of (N, kinds) logits; rows sum to 1."""
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
