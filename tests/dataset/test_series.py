"""File names make series only where the pixels bear them out; groups never cross folds or splits."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hilum.dataset import series
from hilum.dataset.file_names import name_fields
from hilum.dataset.groups import infer_groups
from hilum.dataset.importer import import_dataset
from hilum.dataset.manifest import DatasetManifest, ImageRecord
from hilum.dataset.series import NameSeries, name_series, series_groups
from hilum.dataset.splits import grouped_folds, with_test_split

Prints = NDArray[np.uint8]


def manifest_of(rows: list[tuple[str, str, str]]) -> DatasetManifest:
    """A manifest of (split, class, file name), whose files do not exist."""
    records = tuple(
        ImageRecord(
            path=f"{split}/{name}/{file}" if split else f"{name}/{file}",
            sha256=f"{row:016x}" * 4,
            class_name=name,
            split=split,  # type: ignore[arg-type]
            group=f"{row:016x}",
            source="drawn",
            file_format="png",
            width=128,
            height=128,
            mode="L",
            size_bytes=1,
        )
        for row, (split, name, file) in enumerate(rows)
    )
    return DatasetManifest(
        root=Path("nowhere"), source="drawn", class_names=tuple(sorted({n for _, n, _ in rows})), records=records
    )


def prints_of_series(series: list[int]) -> Prints:
    """Fingerprints that are alike within a series, below the likeness of near copies."""
    rng = np.random.default_rng(0)
    bases = {number: rng.normal(128, 30, 96 * 72) for number in sorted(set(series))}
    noisy = [bases[number] + rng.normal(0, 20, 96 * 72) for number in series]
    return np.clip(np.stack(noisy), 0, 255).astype(np.uint8)


def sizes(manifest: DatasetManifest) -> list[int]:
    return sorted(Counter(r.group for r in manifest.records).values(), reverse=True)


SERIES = [n for n in range(4) for _ in range(10)]
NAMED = [("train", "cancer", f"{10 * place:04d} ({number + 1}).png") for place, number in enumerate(SERIES)]


def test_a_number_that_predicts_the_neighbour_names_the_series() -> None:
    manifest, prints = manifest_of(NAMED), prints_of_series(SERIES)
    assert sizes(infer_groups(manifest, prints)) == [1] * 40
    found = name_series(manifest, prints)
    (used,) = [line for line in found.evidence if line.is_used]
    assert (used.field, used.relation, used.n, used.n_values) == ("the number in brackets", "same", 40, 4)
    assert used.observed > 0.9 > 0.5 > used.chance
    assert used.p_value == 0.001
    assert sizes(series_groups(manifest, prints, found=found)) == [10] * 4


def test_a_large_class_is_tested_by_a_sample_and_linked_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "_MOST_TESTED", 25)
    manifest, prints = manifest_of(NAMED), prints_of_series(SERIES)
    found = name_series(manifest, prints)
    (used,) = [line for line in found.evidence if line.is_used]
    assert (used.relation, used.n) == ("same", 25)
    assert sizes(series_groups(manifest, prints, found=found)) == [10] * 4


def test_a_number_that_says_nothing_names_none() -> None:
    shuffled = np.random.default_rng(1).permutation(SERIES).tolist()
    manifest, prints = manifest_of(NAMED), prints_of_series(shuffled)
    found = name_series(manifest, prints)
    assert found.evidence
    assert not any(line.is_used for line in found.evidence)
    assert sizes(series_groups(manifest, prints)) == [1] * 40


def test_the_same_number_in_another_split_or_class_is_another_series() -> None:
    rows = [
        (split, name, file) for split, name in (("train", "a"), ("test", "a"), ("train", "b")) for _, _, file in NAMED
    ]
    prints = prints_of_series([20 * block + number for block in range(3) for number in SERIES])
    manifest = series_groups(manifest_of(rows), prints)
    assert sizes(manifest) == [10] * 12


def test_consecutive_numbers_run_until_the_picture_jumps() -> None:
    series = [number for number in range(24) for _ in range(5)]
    rows = [("", "normal", f"Normal case ({100 + place}).jpg") for place in range(len(series))]
    manifest, prints = manifest_of(rows), prints_of_series(series)
    found = name_series(manifest, prints)
    (used,) = [line for line in found.evidence if line.is_used]
    assert used.relation == "next"
    groups = [r.group for r in series_groups(manifest, prints, found=found).records]
    assert all(len(set(groups[start : start + 5])) == 1 for start in range(0, len(series), 5))
    assert len(set(groups)) >= 20  # one border in twenty is missed by design


def test_series_numbered_alike_are_one() -> None:
    numbers = [3, 9, 16, 19, 20, 33, 39, 41, 55, 56]
    other = [1, 5, 8, 12, 17, 21, 22, 60, 61, 62]
    named = ((2, numbers), (3, numbers), (4, other), (5, [n + 100 for n in other]))
    rows = [("train", "cancer", f"{index:06d} ({n}).png") for n, of in named for index in of]
    prints = prints_of_series([n for n, of in named for _ in of])
    assert sizes(series_groups(manifest_of(rows), prints)) == [20, 10, 10]


@pytest.mark.parametrize(
    ("paths", "titles"),
    [
        (("c/1 (2).png", "c/1 (3).png", "c/2 (2).png"), ["the number in brackets", "number 1 of the name"]),
        (("c/p1_s1.png", "c/p1_s2.png", "c/p2_s1.png"), ["number 1 of the name", "number 2 of the name", "the text"]),
        (("c/p 1/a.png", "c/p 1/b.png", "c/p 2/a.png"), ["the folder"]),
        (("c/a.png", "c/b.png", "c/d.png"), []),
    ],
)
def test_parts_of_names(paths: tuple[str, ...], titles: list[str]) -> None:
    fields = name_fields(paths)
    assert len(fields) == len(titles)
    assert all(field.title.startswith(title) for field, title in zip(fields, titles, strict=True))
    assert all(len(field.keys) == len(field.rests) == len(paths) for field in fields)


@st.composite
def labelled_groups(draw: st.DrawFn) -> tuple[list[int], list[str], int]:
    n_folds = draw(st.integers(2, 5))
    labels: list[int] = []
    groups: list[str] = []
    for label in range(draw(st.integers(1, 4))):
        for group, size in enumerate(draw(st.lists(st.integers(1, 6), min_size=2 * n_folds, max_size=25))):
            labels += [label] * size
            groups += [f"{label}-{group}"] * size
    return labels, groups, n_folds


@settings(deadline=None, max_examples=60)
@given(case=labelled_groups(), seed=st.integers(0, 5))
def test_no_group_crosses_a_fold_and_folds_are_stratified(case: tuple[list[int], list[str], int], seed: int) -> None:
    labels, groups, n_folds = np.array(case[0]), np.array(case[1]), case[2]
    folds = grouped_folds(labels, list(groups), n_folds, seed)
    assert sorted(np.concatenate([held for _, held in folds]).tolist()) == list(range(len(labels)))
    largest = max(Counter(groups.tolist()).values())
    for train, held in folds:
        assert not set(groups[train]) & set(groups[held])
        for label in np.unique(labels):
            fair = (labels == label).sum() / n_folds
            assert abs((labels[held] == label).sum() - fair) <= fair + 2 * largest
            assert (labels[train] == label).any()


@settings(deadline=None, max_examples=25)
@given(
    links=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=15),
    seed=st.integers(0, 3),
)
def test_no_group_crosses_a_split_made_here(links: list[tuple[int, int]], seed: int) -> None:
    rows = [("", ("benign", "cancer")[place % 2], f"{place}.png") for place in range(40)]
    within = [(i, j) for i, j in links if i % 2 == j % 2]
    pairs = (np.array([i for i, _ in within], np.intp), np.array([j for _, j in within], np.intp))
    manifest = series_groups(manifest_of(rows), PRINTS, found=NameSeries((), (pairs,)))
    splits: dict[str, set[str]] = defaultdict(set)
    for record in with_test_split(manifest, seed=seed).records:
        splits[record.group].add(record.split)
    assert all(len(found) == 1 for found in splits.values())
    group_of = [record.group for record in manifest.records]
    assert all(group_of[i] == group_of[j] for i, j in within)


PRINTS = np.random.default_rng(0).integers(0, 255, (40, 6912), dtype=np.uint8)


def test_series_of_the_reference_data(reference_data: Path) -> None:
    manifest = series_groups(import_dataset(reference_data))
    groups = {name: Counter(r.group for r in manifest.records if r.class_name == name) for name in manifest.class_names}
    assert len(groups["squamous_cell_carcinoma"]) < 30
    assert len(groups["large_cell_carcinoma"]) < 70
    assert len(groups["adenocarcinoma"]) < 130
    assert all(len(found) >= 5 for found in groups.values())
    assert all(max(found.values()) <= 0.6 * sum(found.values()) for found in groups.values())
    series = {r.group for r in manifest.records if r.path.startswith("train/adeno") and r.path.endswith("(10).png")}
    assert len(series) == 1
