"""Copies and near copies share a group, whatever was cropped, padded, resized or recompressed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from dataset_samples import WriteImages, draw_distinct, encode

from hilum.dataset.groups import fingerprint_of, grouped, infer_groups, links_within
from hilum.dataset.importer import import_dataset
from hilum.dataset.splits import copies_of, grouped_folds
from hilum.errors import DatasetInvalid


def test_near_copies_share_a_group_and_others_do_not(write_images: WriteImages) -> None:
    root = write_images(["train/normal/a.png", "train/normal/b.png", "train/normal/c.png"])
    original = draw_distinct(0)
    test = root / "test/normal"
    test.mkdir(parents=True)
    (test / "same.png").write_bytes(encode(original))
    (test / "margin.png").write_bytes(encode(np.pad(original, ((30, 10), (5, 60)))))
    (test / "larger.png").write_bytes(encode(cv2.resize(original, (300, 300))))
    (test / "jpeg.jpg").write_bytes(encode(original, ".jpg"))
    (test / "darker.png").write_bytes(encode((original * 0.7).astype(np.uint8)))
    (test / "other.png").write_bytes(encode(draw_distinct(50)))
    manifest = import_dataset(root)

    group_of = {record.path: record.group for record in manifest.records}
    copies = {path for path, group in group_of.items() if group == group_of["train/normal/a.png"]}
    names = ("same.png", "margin.png", "larger.png", "jpeg.jpg", "darker.png")
    assert copies == {"train/normal/a.png", *(f"test/normal/{name}" for name in names)}
    assert len(set(group_of.values())) == 4
    assert group_of["train/normal/a.png"] == min(r.sha256 for r in manifest.records if r.path in copies)[:16]

    copied = copies_of(manifest)
    assert [manifest.of_split("test")[i].path for i in copied] == sorted(copies - {"train/normal/a.png"})
    assert copies_of(manifest, "test", ("valid",)).size == 0
    assert copies_of(manifest, "valid").size == 0


def test_groups_do_not_depend_on_names(write_images: WriteImages) -> None:
    root = write_images(["normal/a.png", "normal/b.png", "normal/c.png"])
    before = {r.sha256: r.group for r in import_dataset(root).records}
    (root / "normal/a.png").rename(root / "normal/z.png")
    assert {r.sha256: r.group for r in import_dataset(root).records} == before


def test_infers_again_from_the_files(write_images: WriteImages) -> None:
    manifest = import_dataset(write_images(["normal/a.png", "normal/b.png"]))
    assert infer_groups(manifest) == manifest
    assert len({r.group for r in infer_groups(manifest, threshold=-1.0).records}) == 1


def test_links_join_whole_groups_and_keep_what_is_joined(write_images: WriteImages) -> None:
    manifest = import_dataset(write_images([f"normal/{name}.png" for name in "abcd"]))
    rows = np.array([0]), np.array([1])
    pair = grouped(manifest, [rows])
    assert [len({r.group for r in m.records}) for m in (manifest, pair)] == [4, 3]
    further = grouped(pair, [links_within(pair), (np.array([1]), np.array([3]))])
    assert [r.group == further.records[0].group for r in further.records] == [True, True, False, True]
    assert further.records[0].group == min(r.sha256 for r in further.records if r.path != "normal/c.png")[:16]


def test_fingerprint_reads_more_than_8_bits() -> None:
    picture = draw_distinct(1)
    assert np.abs(fingerprint_of(picture.astype(np.float32)).astype(int) - fingerprint_of(picture)).max() <= 1


def test_no_group_crosses_a_fold_and_each_image_is_held_out_once() -> None:
    rng = np.random.default_rng(1)
    group_of = rng.integers(0, 60, 300)
    labels = group_of % 3
    folds = grouped_folds(labels, [str(g) for g in group_of], n_folds=5, seed=3)
    assert len(folds) == 5
    assert sorted(np.concatenate([held for _, held in folds]).tolist()) == list(range(300))
    for train, held in folds:
        assert not set(group_of[train]) & set(group_of[held])
        assert np.abs(np.bincount(labels[held]) / len(held) - np.bincount(labels) / 300).max() < 0.12
    again = grouped_folds(labels, [str(g) for g in group_of], n_folds=5, seed=3)
    assert all((a[1] == b[1]).all() for a, b in zip(folds, again, strict=True))


def test_too_few_groups_for_the_folds_are_refused() -> None:
    with pytest.raises(DatasetInvalid, match="Class 1 has 2 separate groups"):
        grouped_folds([0, 0, 0, 1, 1, 1], ["a", "b", "c", "d", "e", "e"], n_folds=3, seed=0)
