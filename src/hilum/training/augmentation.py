"""Random variants of a preprocessed slice, as scanners, windows and positioning vary. Numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.imaging.preprocess import SOFT_TISSUE, Preprocessing

BASE_SCALE = 1.5
"""Slices are kept at this multiple of the input side, so that a warp does not blur them below a served slice."""


_BLACK = 5
"""Grey levels below this are what preprocessing blanks."""

_NOISIEST = 0.12
"""Largest standard deviation of noise: stretching soft tissue stretches a slice's noise threefold."""

_LUNG_HU, _TISSUE_HU = -850.0, 40.0
"""What the two anchors of preprocessing are taken for."""

_WINDOWS = (
    (0.5, (-20.0, 100.0), (180.0, 600.0)),
    (0.3, (-700.0, -300.0), (900.0, 1800.0)),
    (0.2, (-200.0, 200.0), (600.0, 3000.0)),
)
"""Mediastinal, lung and wide windows: share, range of centres and of widths in HU."""


@dataclass(frozen=True)
class Augmentation:
    """How far a slice may be moved and changed. Zero strength everywhere gives the slice as it is served.

    Attributes:
        rotation_degrees, scale, shift, shear: half-widths of uniform ranges; shift as a share of the side.
        lungs: half-width of the log-exponent of a radial warp that keeps the body's outline and enlarges or shrinks
            what it holds, so that the share of lung in the slice goes with no class.
        flip: probability of a left-right mirror: the class is not a side.
        gamma: half-width of the log-gamma on grey values.
        window: probability of another window, from narrow mediastinal to wide, with the anchors found again.
        tone: probability of taking over, in part, the grey values another slice has inside the body: windows, contrast
            media and scanners then go with no class (histogram matching, Gonzalez and Woods, 3.3).
        texture: probability of noise, fine or as a soft kernel shows it, or blur, as other doses and kernels give.
        erase: probability of blanking one rectangle, so that no single spot decides (Zhong et al., AAAI 2020).
    """

    rotation_degrees: float = 12.0
    scale: float = 0.12
    shift: float = 0.05
    shear: float = 0.05
    lungs: float = 0.25
    flip: float = 0.5
    gamma: float = 0.25
    window: float = 0.5
    tone: float = 0.5
    texture: float = 0.6
    erase: float = 0.25

    def apply(
        self,
        base: NDArray[np.uint8],
        side: int,
        rng: np.random.Generator,
        other: NDArray[np.uint8] | None = None,
        levels: Preprocessing = SOFT_TISSUE,
    ) -> NDArray[np.float32]:
        """Draws one variant.

        Args:
            base: (B, B) uint8, a preprocessed slice at `BASE_SCALE` times `side`.
            side: the model's input side.
            rng: the source of chance.
            other: another such slice, whose grey values may be taken over.
            levels: what the slice was preprocessed with.

        Returns:
            (side, side) float32 in [0, 1].
        """
        if other is not None and rng.random() < self.tone:
            base = _take_tone(base, other, np.float32(rng.uniform(0.3, 1)))
        grey = self._warp(base, side, rng).astype(np.float32) / np.float32(255)
        if rng.random() < self.window:
            grey = _take_window(grey, levels, rng)
        grey = np.power(grey, np.exp(rng.uniform(-self.gamma, self.gamma)), dtype=np.float32)
        if rng.random() < self.texture:
            grey = _retexture(grey, rng)
        if rng.random() < self.erase:
            height, width = rng.integers(side // 10, side // 3, 2)
            top, left = rng.integers(0, side - height), rng.integers(0, side - width)
            grey[top : top + height, left : left + width] = rng.uniform(0, 0.7)
        return np.clip(grey, 0, 1, out=grey)

    def _warp(self, base: NDArray[np.uint8], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        matrix = self._matrix(base.shape[0], side, rng)
        exponent = np.exp(rng.uniform(-self.lungs, self.lungs))
        if exponent == 1:
            return np.asarray(cv2.warpAffine(base, matrix, (side, side), flags=cv2.INTER_LINEAR), np.uint8)
        inverse = cv2.invertAffineTransform(matrix)
        across, down = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
        half = np.float32(base.shape[0] / 2)
        x, y = (inverse @ np.stack([across.ravel(), down.ravel(), np.ones(side * side, np.float32)]) + 0.5) / half - 1
        pull = np.clip(x * x + y * y, 1e-3, 1) ** ((exponent - 1) / 2)
        columns, rows = (((at * pull + 1) * half - 0.5).astype(np.float32).reshape(side, side) for at in (x, y))
        return np.asarray(cv2.remap(base, columns, rows, cv2.INTER_LINEAR), np.uint8)

    def _matrix(self, base_side: int, side: int, rng: np.random.Generator) -> NDArray[np.float64]:
        angle = np.deg2rad(rng.uniform(-self.rotation_degrees, self.rotation_degrees))
        scale = rng.uniform(1 - self.scale, 1 + self.scale, 2)
        shear = rng.uniform(-self.shear, self.shear)
        mirror = -1.0 if rng.random() < self.flip else 1.0
        cosine, sine = np.cos(angle), np.sin(angle)
        linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.array([[scale[0] * mirror, shear], [0, scale[1]]])
        linear *= side / base_side
        centre_out = side * (0.5 + rng.uniform(-self.shift, self.shift, 2)) - 0.5
        centre_in = np.full(2, base_side / 2 - 0.5)
        return np.column_stack([linear, centre_out - linear @ centre_in])


def _take_tone(base: NDArray[np.uint8], other: NDArray[np.uint8], share: np.float32) -> NDArray[np.uint8]:
    """Moves grey values towards those at the same rank in `other`; what is black, as outside the body, stays so."""
    levels = np.arange(256, dtype=np.float32)
    matched = np.interp(_ranks(base), _ranks(other), levels)
    table = np.rint((1 - share) * levels + share * matched).astype(np.uint8)
    table[:_BLACK] = np.arange(_BLACK)
    return np.asarray(cv2.LUT(base, table), np.uint8)


def _ranks(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(256,) share of the body's pixels that are at most as bright as each level."""
    counts = np.bincount(picture[::2, ::2].ravel(), minlength=256).astype(np.float64)
    counts[:_BLACK] = 0
    return np.asarray(np.cumsum(counts) / max(counts.sum(), 1))


def _take_window(grey: NDArray[np.float32], levels: Preprocessing, rng: np.random.Generator) -> NDArray[np.float32]:
    """What preprocessing would give of the slice had it been exported in another window."""
    shares = [share for share, _, _ in _WINDOWS]
    _, centres, widths = _WINDOWS[rng.choice(len(_WINDOWS), p=shares)]
    centre, width = rng.uniform(*centres), rng.uniform(*widths)
    lung, tissue = levels.lung_level, levels.tissue_level
    per_hu = (tissue - lung) / (_TISSUE_HU - _LUNG_HU)
    low, high = (lung + (hu - _LUNG_HU) * per_hu for hu in (centre - width / 2, centre + width / 2))
    darkest, brightest = max(lung, low), min(tissue, high)  # where the anchors are found in that window
    gain = (tissue - lung) / max(brightest - darkest, 0.05)
    seen = lung + (np.clip(grey, low, high) - np.float32(darkest)) * np.float32(gain)
    return np.where(grey > 0, np.clip(seen, levels.darkest, 1), 0).astype(np.float32)


def _retexture(grey: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    if rng.random() < 0.5:
        noise = rng.standard_normal(grey.shape, dtype=np.float32)
        if rng.random() < 0.5:
            noise = cv2.blur(noise, (3, 3)) * np.float32(2)
        return grey + noise * np.float32(rng.uniform(0.005, _NOISIEST)) * (grey > 0)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.3, 1.0)), np.float32)
