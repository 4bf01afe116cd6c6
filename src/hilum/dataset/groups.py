"""Which images show the same slice or patient and must stay on one side of a split. Knows pixels, not labels."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.dataset.layout import GROUPS_FILE
from hilum.dataset.manifest import DatasetManifest, ImageRecord
from hilum.dataset.neighbours import HEIGHT, WIDTH, Pairs, joined, near_pairs
from hilum.errors import DatasetGroupsInvalid
from hilum.imaging.body import Body, find_body
from hilum.imaging.decode import decode

NEAR_COPY = 0.95
"""Cosine above which two fingerprints show the same slice or its neighbour in the series."""


def fingerprint_of(pixels: NDArray[np.uint8] | NDArray[np.float32], body: Body | None = None) -> NDArray[np.uint8]:
    """The body of a slice at thumbnail size: alike for two exports of a slice, whatever their crop and margin.

    Args:
        pixels: (H, W) grey values on the 0..255 scale.
        body: where the body is in them; found where None.

    Returns:
        (6912,) uint8, 96 by 72 pixels.
    """
    body = body or find_body(pixels)
    box = pixels[body.top : body.bottom, body.left : body.right]
    shrinks = box.shape[0] >= HEIGHT and box.shape[1] >= WIDTH
    thumbnail = cv2.resize(box, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(np.clip(np.rint(thumbnail), 0, 255), np.uint8).reshape(-1)


def read_fingerprints(manifest: DatasetManifest, records: Sequence[ImageRecord]) -> NDArray[np.uint8]:
    """Decodes these records' files and fingerprints them: (len(records), 6912) uint8; each content is read once."""
    known: dict[str, NDArray[np.uint8]] = {}
    for record in records:
        if record.sha256 not in known:
            data = manifest.path_of(record).read_bytes()
            known[record.sha256] = fingerprint_of(decode(data, name=record.path).pixels)
    rows = [known[record.sha256] for record in records]
    return np.stack(rows) if rows else np.empty((0, WIDTH * HEIGHT), np.uint8)


def infer_groups(
    manifest: DatasetManifest,
    fingerprints: NDArray[np.uint8] | None = None,
    *,
    threshold: float = NEAR_COPY,
    also: Iterable[Pairs] = (),
) -> DatasetManifest:
    """Groups byte-identical files and near copies, transitively.

    Args:
        manifest: its records' groups are replaced.
        fingerprints: (len(manifest.records), 6912) uint8; read from the files where None.
        threshold: cosine above which two images are near copies.
        also: rows of `manifest.records` that belong together for another reason, such as one series.

    Returns:
        The manifest with groups named by the first 16 digits of their smallest sha256.
    """
    if fingerprints is None:
        fingerprints = read_fingerprints(manifest, manifest.records)
    copies = ((left, right) for left, right, _ in near_copies(manifest, fingerprints, threshold=threshold))
    return grouped(manifest, chain(copies, also))


def near_copies(
    manifest: DatasetManifest, fingerprints: NDArray[np.uint8], *, threshold: float = NEAR_COPY
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]]:
    """Rows of the manifest's records whose fingerprints' cosine is above the threshold, and it; one row a content."""
    distinct = np.array(list(_first_rows(manifest).values()), np.intp)
    for left, right, cosines in near_pairs(fingerprints[distinct], threshold=threshold):
        yield distinct[left], distinct[right], cosines


def grouped(manifest: DatasetManifest, links: Iterable[Pairs]) -> DatasetManifest:
    """Groups byte-identical files and linked rows of `manifest.records`, transitively; named as by `infer_groups`."""
    first_of = _first_rows(manifest)
    row_of = {sha256: row for row, sha256 in enumerate(first_of)}
    content = np.array([row_of[record.sha256] for record in manifest.records], np.intp)
    roots = joined(len(first_of), ((content[left], content[right]) for left, right in links))
    smallest: dict[int, str] = {}
    for root, sha256 in zip(roots, first_of, strict=True):
        smallest[root] = min(sha256, smallest.get(root, sha256))
    group_of = {sha256: smallest[root][:16] for root, sha256 in zip(roots, first_of, strict=True)}
    regrouped = tuple(r.model_copy(update={"group": group_of[r.sha256]}) for r in manifest.records)
    return manifest.model_copy(update={"records": regrouped})


def links_within(manifest: DatasetManifest) -> Pairs:
    """Pairs of rows that join what is one group now."""
    index = np.unique([record.group for record in manifest.records], return_inverse=True)[1]
    order = np.argsort(index, kind="stable")
    left, right = order[:-1], order[1:]
    is_same = index[left] == index[right]
    return left[is_same], right[is_same]


def _first_rows(manifest: DatasetManifest) -> dict[str, int]:
    """The first row of each content, by its sha256."""
    first_of: dict[str, int] = {}
    for row, record in enumerate(manifest.records):
        first_of.setdefault(record.sha256, row)
    return first_of


def read_groups_file(root: Path) -> dict[str, str]:
    """Reads `groups.csv` (columns `path` and `group`) at a data set's root; empty where there is none.

    Raises:
        DatasetGroupsInvalid: it is no such table, or gives one path two groups.
    """
    path = root / GROUPS_FILE
    if not path.is_file():
        return {}
    groups: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                name, group = (row.get("path") or "").strip(), (row.get("group") or "").strip()
                if not name or not group:
                    raise DatasetGroupsInvalid(f"{GROUPS_FILE} needs a path and a group in every row, and has {row}.")
                if groups.setdefault(name, group) != group:
                    raise DatasetGroupsInvalid(f"{GROUPS_FILE} puts {name!r} in {groups[name]!r} and in {group!r}.")
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetGroupsInvalid(f"{GROUPS_FILE} is no CSV text in UTF-8 ({error}).") from error
    return groups


def apply_groups(manifest: DatasetManifest, groups: dict[str, str]) -> DatasetManifest:
    """Replaces the groups of the paths listed; the others keep theirs.

    Raises:
        DatasetGroupsInvalid: a path listed is no file of the data set.
    """
    known = {r.path for r in manifest.records} | {r.path for r in manifest.rejected}
    if unknown := sorted(set(groups) - known):
        raise DatasetGroupsInvalid(
            f"{GROUPS_FILE} lists {len(unknown)} files that are not in the data set, such as {unknown[0]!r}; "
            "paths are relative to the data set's root, with forward slashes."
        )
    records = tuple(r.model_copy(update={"group": groups.get(r.path, r.group)}) for r in manifest.records)
    return manifest.model_copy(update={"records": records})
