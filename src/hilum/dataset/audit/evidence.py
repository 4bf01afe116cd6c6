"""What every check looks at: copies, twins under another crop and series, computed once. Judges nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.alignment import Twin, best_twins
from hilum.dataset.groups import grouped, links_within, near_copies
from hilum.dataset.manifest import DatasetManifest, ImageRecord
from hilum.dataset.neighbours import Pairs, nearest
from hilum.dataset.scan import Scan, usable_cores
from hilum.dataset.series import NameSeries, name_series

Progress = Callable[[str, float, str], None]
CopyPairs = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]

_MOST_PAIRS = 2_000_000


@dataclass(frozen=True)
class Evidence:
    """A scanned data set and what its images have to do with each other.

    Attributes:
        scan: the files as read.
        near: the manifest grouped by near copies.
        series: the manifest grouped by near copies and named series.
        names: how well the names predict the neighbours.
        pairs: rows and cosines of near copies with different bytes; at most two million are kept.
        twins: for each held-out image (test, then valid) its best fit in the splits before it; rows of the manifest.
    """

    scan: Scan
    near: DatasetManifest
    series: DatasetManifest
    names: NameSeries
    pairs: CopyPairs
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

    def distinct_rows_of(self, *splits: str) -> NDArray[np.intp]:
        """The first row of each content in these splits."""
        first_of: dict[str, int] = {}
        for row in self.rows_of(*splits).tolist():
            first_of.setdefault(self.records[row].sha256, row)
        return np.array(list(first_of.values()), np.intp)

    @cached_property
    def usual_likeness(self) -> float:
        """Median cosine of each distinct train image's nearest other train image."""
        _, cosines = nearest(self.scan.fingerprints[self.distinct_rows_of("train")])
        return float(np.median(cosines))

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
    progress("compare", 0.9, "series")
    series = grouped(manifest, (links_within(near), *names.links))
    progress("compare", 1.0, "done")
    return Evidence(scan, near, series, names, pairs.kept(), tuple(_twins(near, prints, progress)))


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


def _twins(manifest: DatasetManifest, prints: NDArray[np.uint8], progress: Progress) -> list[Twin]:
    split_of = np.array([record.split for record in manifest.records])
    found: list[Twin] = []
    for held_out, others in (("test", ("train", "valid")), ("valid", ("train",))):
        left, right = np.flatnonzero(split_of == held_out), np.flatnonzero(np.isin(split_of, others))
        if not left.size or not right.size:
            continue
        twins = best_twins(
            prints[left],
            prints[right],
            progress=lambda done, of: progress("fit", done / of, f"{done}/{of} images of {held_out}"),  # noqa: B023
            workers=usable_cores(),
        )
        found += [Twin(int(left[t.left]), int(right[t.right]), t.cosine, t.aligned) for t in twins]
    return found
