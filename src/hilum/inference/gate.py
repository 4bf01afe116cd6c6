"""Says whether a decoded picture is an axial chest CT slice, and what else it looks like. Knows no classifier."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.errors import BundleInvalid, NotAChestCt
from hilum.imaging.histogram import percentiles_of
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

    def judge(self, pixels: NDArray[np.uint8] | NDArray[np.float32]) -> Verdict:
        """Judges one decoded picture: (H, W) grey values on the 0..255 scale."""
        settings = self.settings
        scores = self.scores(gate_picture(pixels, settings.side)).tolist()
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

    def admit(self, pixels: NDArray[np.uint8] | NDArray[np.float32], *, refuses: bool = True) -> tuple[str, ...]:
        """Lets a chest CT slice through.

        Args:
            pixels: (H, W) grey values on the 0..255 scale.
            refuses: False lets everything through, with the warning.

        Returns:
            The warnings: none, or `unusual-for-a-chest-ct`.

        Raises:
            NotAChestCt: the picture is something else.
        """
        verdict = self.judge(pixels)
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

    def scores(self, picture: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (kinds,) of a picture made by `gate_picture`, (side, side, 1)."""
        (logits,) = self._session.run(["logits"], {self._input: picture[np.newaxis]})
        return np.asarray(softmax(logits)[0])

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


def gate_picture(pixels: NDArray[np.uint8] | NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The whole picture as the gate sees it: reduced, centred on black, grey values stretched to [0, 1].

    Args:
        pixels: (H, W) grey values on the 0..255 scale.
        side: of the square.

    Returns:
        (side, side, 1) float32.
    """
    height, width = pixels.shape
    scale = side / max(height, width)
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, (across, down), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    low, high = percentiles_of(small, 0.5, 99.5)
    gain = 1 / max(high - low, _MIN_SPAN)
    picture = np.zeros((side, side, 1), np.float32)
    top, left = (side - down) // 2, (side - across) // 2
    stretched = small.astype(np.float32) * np.float32(gain) - np.float32(low * gain)
    np.clip(stretched, 0, 1, out=picture[top : top + down, left : left + across, 0])
    return picture


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities of (N, kinds) logits; rows sum to 1."""
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
