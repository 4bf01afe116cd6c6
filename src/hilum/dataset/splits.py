"""Divides a data set without letting copies or patients cross. Knows labels and groups; pixels only through copies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilum.dataset.groups import NEAR_COPY, read_fingerprints
from hilum.dataset.manifest import DatasetManifest
from hilum.dataset.neighbours import near_pairs
from hilum.errors import DatasetInvalid

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


def grouped_folds(labels: ArrayLike, groups: Sequence[str], n_folds: int, seed: int) -> list[Fold]:
    """Cross-validation folds that keep each group on one side and the classes' shares about equal.

    Args:
        labels: (N,) class indices.
        groups: (N,) group of each image, as in `ImageRecord.group`.
        n_folds: how many folds, at least 2.
        seed: the same seed gives the same folds.

    Returns:
        For each fold the indices trained on and the indices held out; each image is held out once.

    Raises:
        DatasetInvalid: a class has fewer groups than there are folds, so that a fold would lack it.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    classes = np.asarray(labels)
    for label in np.unique(classes):
        count = len({group for group, other in zip(groups, classes, strict=True) if other == label})
        if count < n_folds:
            raise DatasetInvalid(
                f"Class {label} has {count} separate groups of images and {n_folds} folds need one each; "
                "add images of other patients or use fewer folds."
            )
    splitter = StratifiedGroupKFold(n_splits=n_folds, shuffle=True, random_state=seed)
    return [(train, held) for train, held in splitter.split(np.zeros(len(classes)), classes, np.asarray(groups))]


def copies_of(
    manifest: DatasetManifest,
    split_a: str = "test",
    split_b: Sequence[str] = ("train", "valid"),
    *,
    threshold: float = NEAR_COPY,
) -> NDArray[np.intp]:
    """Which images of one split have a copy, or a near copy, in others.

    Args:
        manifest: the data set; the files of these splits are read.
        split_a: the split looked at, such as the test split.
        split_b: the splits in which a copy counts, such as what was trained on.
        threshold: cosine of fingerprints above which two images are near copies.

    Returns:
        Sorted indices into `manifest.of_split(split_a)`.
    """
    looked_at, others = manifest.of_split(split_a), manifest.of_split(*split_b)
    contents = {record.sha256 for record in others}
    found = {index for index, record in enumerate(looked_at) if record.sha256 in contents}
    left, right = read_fingerprints(manifest, looked_at), read_fingerprints(manifest, others)
    for rows, _, _ in near_pairs(left, right, threshold=threshold):
        found.update(rows.tolist())
    return np.array(sorted(found), dtype=np.intp)


def with_test_split(manifest: DatasetManifest, *, n_folds: int = 5, seed: int = 0) -> DatasetManifest:
    """Sets a grouped, stratified fifth of an unsplit data set aside as `test`; the rest becomes `train`.

    A data set that has splits keeps them, and so does one with a class of a single group: nothing can be set aside.
    """
    if any(record.split for record in manifest.records):
        return manifest
    groups_of: dict[str, set[str]] = {}
    for record in manifest.records:
        groups_of.setdefault(record.class_name, set()).add(record.group)
    n_folds = min(n_folds, *(len(groups) for groups in groups_of.values()))
    if n_folds < 2:
        return manifest
    labels = [manifest.label_of(record) for record in manifest.records]
    groups = [record.group for record in manifest.records]
    _, held = grouped_folds(labels, groups, n_folds, seed)[0]
    chosen = set(held.tolist())
    records = tuple(
        record.model_copy(update={"split": "test" if row in chosen else "train"})
        for row, record in enumerate(manifest.records)
    )
    return manifest.model_copy(update={"records": records})
