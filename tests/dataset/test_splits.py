"""A test set that hilum sets aside: a grouped fifth of every class, or nothing where that cannot be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hilum.dataset.manifest import DatasetManifest, ImageRecord, Split
from hilum.dataset.splits import with_test_split


def manifest_of(groups: dict[str, int], *, each: int = 4, split: Split = "") -> DatasetManifest:
    """Classes of so many groups, each of so many images."""
    records = tuple(
        ImageRecord(
            path=f"{name}/{group}-{n}.png", sha256=f"{name}-{group}-{n}", class_name=name, split=split,
            group=f"{name}-{group}", source="drawn", file_format="png", width=64, height=64, mode="L", size_bytes=100,
        )
        for name, count in sorted(groups.items())
        for group in range(count)
        for n in range(each)
    )  # fmt: skip
    return DatasetManifest(root=Path(), source="drawn", class_names=tuple(sorted(groups)), records=records)


def set_aside(manifest: DatasetManifest, seed: int = 0) -> Counter[str]:
    """How many images of each class are set aside, none of whose group may be trained on."""
    divided = with_test_split(manifest, seed=seed)
    assert {record.split for record in divided.records} == {"train", "test"}
    assert [(r.sha256, r.group) for r in divided.records] == [(r.sha256, r.group) for r in manifest.records]
    held = {record.group for record in divided.of_split("test")}
    assert not held & {record.group for record in divided.of_split("train")}
    return Counter(record.class_name for record in divided.of_split("test"))


@pytest.mark.parametrize("seed", range(3))
def test_a_fifth_of_every_class_is_set_aside(seed: int) -> None:
    assert set_aside(manifest_of({"normal": 10, "cancer": 20}), seed) == {"normal": 8, "cancer": 16}


def test_the_same_seed_divides_alike_and_another_otherwise() -> None:
    manifest = manifest_of({"normal": 20, "cancer": 20})
    first, again, other = (with_test_split(manifest, seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    assert with_test_split(manifest) == first


@pytest.mark.parametrize(("groups", "share"), [(2, 1 / 2), (3, 1 / 3), (4, 1 / 4)])
def test_a_class_of_few_groups_gives_a_larger_part(groups: int, share: float) -> None:
    found = set_aside(manifest_of({"normal": groups, "cancer": 12}))
    assert found["normal"] == 4, "one group"
    assert found["cancer"] == pytest.approx(48 * share, abs=4)


def test_nothing_is_set_aside_of_a_class_of_one_group_or_of_what_is_split_already() -> None:
    single = manifest_of({"normal": 1, "cancer": 12})
    assert with_test_split(single) == single
    for split in ("train", "test"):
        divided = manifest_of({"normal": 10, "cancer": 10}, split=split)
        assert with_test_split(divided) == divided
    partly = divided.model_copy(update={"records": (*divided.records[:9], *single.records)})
    assert with_test_split(partly) == partly
