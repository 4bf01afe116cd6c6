"""A slice's fingerprint in 128 numbers: enough to recognise the slice, too few to be its picture. Knows no labels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SKETCH_SIZE = 128
SAME_SLICE = 0.99
"""Cosine of two sketches from which they show the same slice, perhaps under another crop."""

_SEED = 20261123


def sketch_of(fingerprints: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Projects fingerprints on 128 random directions of signs, which keeps the angles between them.

    The error of a cosine c is about (1 - c²) / √128: below 0.002 at 0.99 (Johnson and Lindenstrauss 1984;
    Achlioptas, JCSS 66, 2003). docs/decisions/0006-look-alikes.md has what was measured.

    Args:
        fingerprints: (N, D) uint8, from `fingerprint_of`.

    Returns:
        (N, 128) float32 of length 1: dot products are cosines. A fingerprint of one grey gives zeros.
    """
    vectors = fingerprints.astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    sketches = vectors @ _signs(fingerprints.shape[1])
    norms = np.linalg.norm(sketches, axis=1, keepdims=True)
    return np.asarray(sketches / np.maximum(norms, 1e-6), np.float32)


@lru_cache(maxsize=1)
def _signs(size: int) -> NDArray[np.float32]:
    """(size, 128) of -1 and 1, from the raw bits of PCG64: NumPy promises never to change these (NEP 19)."""
    count = size * SKETCH_SIZE
    raw = np.random.PCG64(_SEED).random_raw(-(-count // 64)).astype("<u8").view(np.uint8)
    return np.unpackbits(raw, count=count).reshape(size, SKETCH_SIZE).astype(np.float32) * 2 - 1
