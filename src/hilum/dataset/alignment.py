"""Whether two slices are one under another crop: fits one fingerprint onto the other. Knows pixels only.

A body's box is found a little differently in two exports of a slice, and a few per cent of stretch already cost more
cosine than two neighbouring slices do. The fit takes the stretch out, with the enhanced correlation coefficient
(Evangelidis and Psarakis, IEEE TPAMI 30(10), 2008).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.dataset.neighbours import HEIGHT, WIDTH, nearest_few

ALIGNED_COPY = 0.97
"""Aligned cosine above which two images are one slice: in the reference data 1 % of the test slices reach it with an
image of another cancer class, which must be another patient's (docs/audit.md)."""

CANDIDATES = 4
"""So many of the nearest fingerprints are fitted."""

_WORTH_FITTING = 0.8
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
_BLUR = 3
_MAX_STRETCH, _MAX_SHEAR, _MAX_SHIFT = 0.15, 0.10, 0.13
_MIN_OVERLAP = 0.75


@dataclass(frozen=True)
class Twin:
    """The image that fits best onto another.

    Attributes:
        left, right: rows of the two sets compared.
        cosine: of the fingerprints as they are.
        aligned: of the fingerprints once fitted, at least `cosine`.
    """

    left: int
    right: int
    cosine: float
    aligned: float


def aligned_cosine(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    """The cosine of two fingerprints after an affine fit of at most 15 % stretch, 10 % shear and 13 % shift.

    Returns:
        -1 to 1; -1 where no such fit exists.
    """
    fixed, moving = (row.reshape(HEIGHT, WIDTH).astype(np.float32) for row in (left, right))
    try:
        _, warp = cv2.findTransformECC(
            fixed, moving, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, _STOP, None, _BLUR
        )
    except cv2.error:  # it did not converge
        return -1.0
    stretch = np.abs(np.diag(warp[:, :2]) - 1).max()
    shear = max(abs(warp[0, 1]), abs(warp[1, 0]))
    shift = max(abs(warp[0, 2]) / WIDTH, abs(warp[1, 2]) / HEIGHT)
    if stretch > _MAX_STRETCH or shear > _MAX_SHEAR or shift > _MAX_SHIFT:
        return -1.0
    inverse = cv2.WARP_INVERSE_MAP
    fitted = cv2.warpAffine(moving, warp, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | inverse)
    covered = cv2.warpAffine(np.ones_like(moving), warp, (WIDTH, HEIGHT), flags=cv2.INTER_NEAREST | inverse) > 0
    if covered.mean() < _MIN_OVERLAP:
        return -1.0
    first, second = fixed[covered], fitted[covered]
    first -= first.mean()
    second -= second.mean()
    length = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / length if length > 0 else -1.0


def best_twins(
    left: NDArray[np.uint8],
    right: NDArray[np.uint8],
    *,
    nearest: tuple[NDArray[np.intp], NDArray[np.float32]] | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 2,
) -> list[Twin]:
    """For each fingerprint of one set the best fit among its four nearest in another; none below a cosine of 0.8.

    Args:
        left: (N, 6912) uint8.
        right: (M, 6912) uint8.
        nearest: what `nearest_few(left, right, CANDIDATES)` returned, where the caller has it already.
        progress: called with rows done and rows in all.
        workers: threads; the fit runs outside of Python's lock.
    """
    rows, cosines = nearest or nearest_few(left, right, CANDIDATES)

    def best_of(row: int) -> Twin | None:
        fits = (
            Twin(row, int(other), float(cosine), max(float(cosine), aligned_cosine(left[row], right[other])))
            for other, cosine in zip(rows[row], cosines[row], strict=True)
            if other >= 0 and cosine >= _WORTH_FITTING
        )
        return max(fits, key=lambda twin: twin.aligned, default=None)

    found = []
    with ThreadPoolExecutor(workers) as pool:
        done: Iterable[Twin | None] = pool.map(best_of, range(len(left)))
        for count, twin in enumerate(done, start=1):
            if twin is not None:
                found.append(twin)
            if progress and (count % 64 == 0 or count == len(left)):
                progress(count, len(left))
    return found
