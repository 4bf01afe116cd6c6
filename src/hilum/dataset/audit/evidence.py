"""What every check looks at: copies, twins under another crop and series, computed once. Judges nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hilum.cores import usable_cores
from hilum.dataset.alignment import CANDIDATES, Twin, best_twins
from hilum.dataset.groups import grouped, links_within, near_copies
from hilum.dataset.manifest import DatasetManifest, ImageRecord
from hilum.dataset.neighbours import Pairs, nearest, nearest_few
from hilum.dataset.scan import Scan
from hilum.dataset.series import NameSeries, name_series

Progress = Callable[[str, float, str], None]
CopyPairs = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]

_MOST_PAIRS = 2_000_000
_MOST_COMPARED = 4_000


@dataclass(frozen=True)
class HeldOut:
    """A held-out split and the images most like it in the splits before it.

    Attributes:
        rows: (N,) rows of the manifest.
        others: (M,) rows of the manifest, of the splits before.
        nearest: (N, 4) places in `others`, the most like first; -1 where there are fewer.
        cosines: (N, 4) theirs.
    """

    rows: NDArray[np.intp]
    others: NDArray[np.intp]
    nearest: NDArray[np.intp]
    cosines: NDArray[np.float32]


@dataclass(frozen=True)
class Evidence:
    """A scanned data set and what its images have to do with each other.

    Attributes:
        scan: the files as read.
        near: the manifest grouped by near copies.
        series: the manifest grouped by near copies and named series.
        names: how well the names predict the neighbours.
        pairs: rows and cosines of near copies with different bytes; at most two million are kept.
        held_out: what is most like the images of test and valid, by the split's name.
        twins: for each held-out image (test, then valid) its best fit in the splits before it; rows of the manifest.
    """

    scan: Scan
    near: DatasetManifest
    series: DatasetManifest
    names: NameSeries
    pairs: CopyPairs
    held_out: Mapping[str, HeldOut]
    twins: tuple[Twin, ...]

    @property
    def records(self) -> tuple[ImageRecord, ...]:
        return self.near.records

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that hold images, in the order train, valid, test; one empty name for an unsplit data set."""
        held = {record.split for record in self.records}
        return tuple(split for split in ("train", "valid", "test", "") if split in held)

    def rows_of(self, *splits: str) -> NDArray[np.intp]:
        """Rows of the records in these splits."""
        return np.array([row for row, record in enumerate(self.records) if record.split in splits], np.intp)

    def first_of(self, rows: NDArray[np.intp]) -> dict[str, int]:
        """The first of these rows by its content's sha256."""
        first: dict[str, int] = {}
        for row in rows.tolist():
            first.setdefault(self.records[row].sha256, row)
        return first

    @cached_property
    def usual_likeness(self) -> float:
        """Median cosine of each distinct train image's nearest other train image; of 4,000 drawn where there are more.

        The median of a sample is enough, and comparing all with all grows by the square.
        """
        rows = np.array(list(self.first_of(self.rows_of("train")).values()), np.intp)
        prints = self.scan.fingerprints
        if len(rows) <= _MOST_COMPARED:
            return float(np.median(nearest(prints[rows])[1]))
        rows = np.random.default_rng(0).permutation(rows)
        drawn, rest = rows[:_MOST_COMPARED], rows[_MOST_COMPARED:]
        among, beyond = nearest(prints[drawn])[1], nearest(prints[drawn], prints[rest])[1]
        return float(np.median(np.maximum(among, beyond)))

    def labels(self) -> NDArray[np.intp]:
        """(N,) class indices."""
        index = {name: label for label, name in enumerate(self.near.class_names)}
        return np.array([index[record.class_name] for record in self.records], np.intp)


def gather(scan: Scan, progress: Progress) -> Evidence:
    """Compares a scanned data set's images with each other."""
    manifest, prints = scan.manifest, scan.fingerprints
    progress("compare", 0.0, "near copies")
    pairs = _PairKeeper()
    near = grouped(manifest, pairs.passed(near_copies(manifest, prints)))
    progress("compare", 0.4, "series in names")
    names = name_series(manifest, prints)
    progress("compare", 0.55, "series")
    series = grouped(manifest, (links_within(near), *names.links))
    progress("compare", 0.6, "held-out splits")
    held_out = _compared(manifest, prints)
    progress("compare", 1.0, "done")
    return Evidence(scan, near, series, names, pairs.kept(), held_out, tuple(_twins(held_out, prints, progress)))


def is_cancer(class_name: str) -> bool:
    """Whether a class is taken for a cancer: all but `normal` and `benign`."""
    return class_name not in {"normal", "benign"}


def count_words(counts: Counter[str]) -> str:
    """Counts as words, the largest first: `923 RGBA, 74 RGB`."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


class _PairKeeper:
    """Keeps near copies as they pass by; once two million are kept, lets the others pass."""

    def __init__(self) -> None:
        self._parts: list[CopyPairs] = []
        self._count = 0

    def passed(self, found: Iterable[CopyPairs]) -> Iterator[Pairs]:
        """The rows of what is found, unchanged."""
        for left, right, cosines in found:
            if self._count <= _MOST_PAIRS:
                self._parts.append((left, right, cosines))
                self._count += left.size
            yield left, right

    def kept(self) -> CopyPairs:
        """All that was kept, as one."""
        if not self._parts:
            return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32)
        left, right, cosines = (np.concatenate(parts) for parts in zip(*self._parts, strict=True))
        return left, right, cosines


def _compared(manifest: DatasetManifest, prints: NDArray[np.uint8]) -> dict[str, HeldOut]:
    found = {}
    split_of = np.array([record.split for record in manifest.records])
    for name, others in (("test", ("train", "valid")), ("valid", ("train",))):
        rows, right = np.flatnonzero(split_of == name), np.flatnonzero(np.isin(split_of, others))
        if rows.size and right.size:
            nearest, cosines = nearest_few(prints[rows], prints[right], CANDIDATES)
            found[name] = HeldOut(rows, right, nearest, cosines)
    return found


def _twins(held_out: Mapping[str, HeldOut], prints: NDArray[np.uint8], progress: Progress) -> list[Twin]:
    found: list[Twin] = []
    for name, held in held_out.items():
        twins = best_twins(
            prints[held.rows],
            prints[held.others],
            nearest=(held.nearest, held.cosines),
            progress=lambda done, of: progress("fit", done / of, f"{done}/{of} images of {name}"),  # noqa: B023
            workers=usable_cores(),
        )
        found += [Twin(int(held.rows[t.left]), int(held.others[t.right]), t.cosine, t.aligned) for t in twins]
    return found
