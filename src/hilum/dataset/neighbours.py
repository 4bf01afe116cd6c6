"""Which fingerprints are alike: pairs above a threshold, and each one's nearest. Knows vectors only, no file or label.

Likeness is the cosine of the mean-removed vectors, that is, Pearson's correlation. Nothing of size N by N is held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 96, 72
"""Of a fingerprint, which is stored row by row."""

_CELL = 4
_BLOCK = 512
_TALL = 4
"""Blocks on the left of a product of whole fingerprints: the right's unit vectors are made anew for each."""

_SPARSE = 0.02
"""Below this share of candidates in a block, checking them one by one is faster than a whole matrix product."""

_ROUNDING = 1e-4

Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]


def near_pairs(
    left: NDArray[np.uint8], right: NDArray[np.uint8] | None = None, *, threshold: float
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]]:
    """Pairs of fingerprints whose cosine exceeds the threshold, block by block.

    Most pairs are ruled out on means of 4 by 4 pixels. With u = Pu + Qu, where P projects onto those cells and Q onto
    the rest, <u, v> = <Pu, Pv> + <Qu, Qv> <= <Pu, Pv> + |Qu| |Qv| (Cauchy and Schwarz): no pair is lost.

    Two blocks of 512 are in memory as float32 at a time, about 30 MB, whatever the size of the data set.

    Args:
        left: (N, D) uint8.
        right: (M, D) uint8; `left` itself, each pair once, where None.
        threshold: pairs above it are yielded.

    Yields:
        Row indices into `left` and into `right`, and the cosines, of equal length.
    """
    other = left if right is None else right
    left_bounds = _bound_vectors(left)
    other_bounds = left_bounds if right is None else _bound_vectors(other)
    for start in range(0, len(left), _BLOCK):
        rows = _Block(left[start : start + _BLOCK])
        for across in range(start if right is None else 0, len(other), _BLOCK):
            bounds = left_bounds[start : start + _BLOCK] @ other_bounds[across : across + _BLOCK].T
            possible = bounds > threshold - _ROUNDING
            if right is None and across == start:
                possible = np.triu(possible, k=1)
            i, j = np.nonzero(possible)
            if not i.size:
                continue
            columns = rows if other is left and across == start else _Block(other[across : across + _BLOCK])
            cosines = rows.cosines(columns, i, j)
            above = cosines > threshold
            yield i[above] + start, j[above] + across, cosines[above]


def nearest(
    left: NDArray[np.uint8], right: NDArray[np.uint8] | None = None, *, below: float = 2.0
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Each fingerprint's nearest neighbour.

    Args:
        left: (N, D) uint8.
        right: (M, D) uint8; `left` without the fingerprint itself where None.
        below: neighbours with a cosine of at least this are passed over, so that copies do not count.

    Returns:
        (N,) rows of `right` and (N,) cosines; -1 and -1.0 where no neighbour is left.
    """
    other = left if right is None else right
    found = _Nearest(len(left), below)
    height = _TALL * _BLOCK
    for start in range(0, len(left), height):
        rows = unit_vectors(left[start : start + height])
        for across in range(start if right is None else 0, len(other), _BLOCK):
            cosines = rows @ unit_vectors(other[across : across + _BLOCK]).T
            if right is None and across < start + height:
                np.fill_diagonal(cosines[across - start :], -1.0)
            found.offer(cosines, start, across)
            if right is None and across >= start + height:
                found.offer(cosines.T, across, start)
    return found.rows, found.cosines


def nearest_few(
    left: NDArray[np.uint8], right: NDArray[np.uint8], count: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Each fingerprint's `count` nearest in another set, the nearest first.

    Returns:
        (N, count) rows of `right` and (N, count) cosines; -1 and -1.0 where `right` has fewer.
    """
    rows = np.full((len(left), count), -1, np.intp)
    cosines = np.full((len(left), count), -1.0, np.float32)
    height = _TALL * _BLOCK
    for start in range(0, len(left), height):
        units = unit_vectors(left[start : start + height])
        here = slice(start, start + len(units))
        for across in range(0, len(right), _BLOCK):
            columns, highest = _highest(units @ unit_vectors(right[across : across + _BLOCK]).T, count)
            merged = np.concatenate([cosines[here], highest], axis=1)
            names = np.concatenate([rows[here], columns + across], axis=1)
            order = np.argsort(-merged, axis=1, kind="stable")[:, :count]
            cosines[here] = np.take_along_axis(merged, order, axis=1)
            rows[here] = np.take_along_axis(names, order, axis=1)
    return rows, cosines


def _highest(cosines: NDArray[np.float32], count: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Columns and values of each row's `count` highest, the highest first, of equal ones the leftmost; spoils them."""
    count = min(count, cosines.shape[1])
    columns = np.empty((len(cosines), count), np.intp)
    highest = np.empty((len(cosines), count), np.float32)
    every = np.arange(len(cosines))
    for place in range(count):  # a few passes are faster than sorting
        columns[:, place] = cosines.argmax(axis=1)
        highest[:, place] = cosines[every, columns[:, place]]
        cosines[every, columns[:, place]] = -np.inf
    return columns, highest


def unit_vectors(fingerprints: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean-removed vectors of length 1, whose dot products are cosines; zero where a fingerprint is uniform."""
    vectors = fingerprints.astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.maximum(norms, 1e-6)
    return np.asarray(vectors, np.float32)


def joined(count: int, pairs: Iterable[Pairs]) -> list[int]:
    """Union-find with path halving; returns the root of each of `count` items."""
    parent = list(range(count))

    def root_of(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for left, right in pairs:
        for i, j in zip(left.tolist(), right.tolist(), strict=True):
            parent[root_of(j)] = root_of(i)
    return [root_of(item) for item in range(count)]


class _Nearest:
    """The best neighbour so far of each of `count` fingerprints; of equal ones the first offered."""

    def __init__(self, count: int, below: float) -> None:
        self.rows = np.full(count, -1, np.intp)
        self.cosines = np.full(count, -1.0, np.float32)
        self._below = below

    def offer(self, cosines: NDArray[np.float32], start: int, across: int) -> None:
        """Compares rows from `start` on with those from `across` on, whose cosines these are; spoils `cosines`."""
        cosines[cosines >= self._below] = -1.0
        column = cosines.argmax(axis=1)
        cosine = cosines[np.arange(len(cosines)), column]
        here = slice(start, start + len(cosines))
        is_better = cosine > self.cosines[here]
        self.cosines[here] = np.where(is_better, cosine, self.cosines[here])
        self.rows[here] = np.where(is_better, column + across, self.rows[here])


class _Block:
    """Some fingerprints; their unit vectors are made when first needed."""

    def __init__(self, fingerprints: NDArray[np.uint8]) -> None:
        self._fingerprints = fingerprints
        self._units: NDArray[np.float32] | None = None

    @property
    def units(self) -> NDArray[np.float32]:
        if self._units is None:
            self._units = unit_vectors(self._fingerprints)
        return self._units

    def cosines(self, other: _Block, i: NDArray[np.intp], j: NDArray[np.intp]) -> NDArray[np.float32]:
        """Cosines of rows `i` with the other block's rows `j`."""
        if i.size > _SPARSE * len(self._fingerprints) * len(other._fingerprints):
            return np.asarray((self.units @ other.units.T)[i, j], np.float32)
        out = np.empty(i.size, np.float32)
        for start in range(0, i.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            columns = unit_vectors(other._fingerprints[j[part]])
            out[part] = np.einsum("ij,ij->i", unit_vectors(self._fingerprints[i[part]]), columns)
        return out


def _bound_vectors(fingerprints: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Vectors whose dot products are never below the cosines: cell means, and the length of what they leave out."""
    if fingerprints.shape[1] != WIDTH * HEIGHT:
        return unit_vectors(fingerprints)
    cells = (HEIGHT // _CELL) * (WIDTH // _CELL)
    bounds = np.empty((len(fingerprints), cells + 1), np.float32)
    for start in range(0, len(fingerprints), _BLOCK):
        vectors = unit_vectors(fingerprints[start : start + _BLOCK])
        shaped = vectors.reshape(len(vectors), HEIGHT // _CELL, _CELL, WIDTH // _CELL, _CELL)
        coarse = shaped.sum(axis=(2, 4)).reshape(len(vectors), cells) / _CELL
        rest = np.einsum("ij,ij->i", vectors, vectors) - np.einsum("ij,ij->i", coarse, coarse)
        bounds[start : start + _BLOCK, :-1] = coarse
        bounds[start : start + _BLOCK, -1] = np.sqrt(np.maximum(rest, 0))
    return bounds
