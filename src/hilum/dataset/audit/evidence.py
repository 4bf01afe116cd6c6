"""What every check looks at: copies, twins under another crop and series, computed once. Judges nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.alignment import Twin, best_twins
from hilum.dataset.groups import NEAR_COPY, infer_groups
from hilum.dataset.manifest import DatasetManifest, ImageRecord
from hilum.dataset.neighbours import near_pairs
from hilum.dataset.scan import Scan, usable_cores
from hilum.dataset.series import NameSeries, name_series, series_groups

Progress = Callable[[str, float, str], None]

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
    pairs: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]
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

    def labels(self) -> NDArray[np.intp]:
        """(N,) class indices."""
        index = {name: label for label, name in enumerate(self.near.class_names)}
        return np.array([index[record.class_name] for record in self.records], np.intp)


def gather(scan: Scan, progress: Progress) -> Evidence:
    """Compares a scanned data set's images with each other."""
    manifest, prints = scan.manifest, scan.fingerprints
    progress("compare", 0.0, "near copies")
    near = infer_groups(manifest, prints)
    pairs = _different_pairs(manifest, prints)
    progress("compare", 0.4, "series in names")
    names = name_series(manifest, prints)
    progress("compare", 0.7, "series")
    series = series_groups(manifest, prints, found=names)
    progress("compare", 1.0, "done")
    return Evidence(scan, near, series, names, pairs, tuple(_twins(near, prints, progress)))


def is_cancer(class_name: str) -> bool:
    """Whether a class is taken for a cancer: all but `normal` and `benign`."""
    return class_name not in {"normal", "benign"}


def count_words(counts: Counter[str]) -> str:
    """Counts as words, the largest first: `923 RGBA, 74 RGB`."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _different_pairs(
    manifest: DatasetManifest, prints: NDArray[np.uint8]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    first_of: dict[str, int] = {}
    for row, record in enumerate(manifest.records):
        first_of.setdefault(record.sha256, row)
    distinct = np.array(list(first_of.values()), np.intp)
    found: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]] = []
    kept = 0
    for left, right, cosines in near_pairs(prints[distinct], threshold=NEAR_COPY):
        found.append((distinct[left], distinct[right], cosines))
        kept += left.size
        if kept > _MOST_PAIRS:
            break
    if not found:
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32)
    left, right, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
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
