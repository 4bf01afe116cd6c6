"""What is learnt from: no test split, no content twice, no contradiction, and groups that data sets do not share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hilum.dataset.labels import LabelScheme
from hilum.dataset.manifest import DatasetManifest, ImageRecord, Split
from hilum.training.corpus import gather


def record(name: str, class_name: str, *, content: str = "", split: Split = "train", group: str = "") -> ImageRecord:
    return ImageRecord(
        path=f"{class_name}/{name}.png",
        sha256=content or name,
        class_name=class_name,
        split=split,
        group=group or name,
        source="here",
        file_format="png",
        width=8,
        height=8,
        mode="L",
        size_bytes=8,
    )


def dataset(name: str, *records: ImageRecord) -> DatasetManifest:
    names = tuple(sorted({r.class_name for r in records}))
    return DatasetManifest(root=Path("/data") / name, source=name, class_names=names, records=records)


MAIN = dataset(
    "main",
    record("a", "adenocarcinoma", group="p1"),
    record("l", "large_cell_carcinoma"),
    record("n", "normal", group="p2"),
    record("t", "normal", split="test"),
)
SCHEME = LabelScheme.of(MAIN.class_names, ignored=["benign"])


def test_coarse_slices_allow_every_cancer_and_ignored_ones_teach_nothing() -> None:
    other = dataset("other", record("m", "malignant", group="p1"), record("b", "benign"))
    corpus = gather([MAIN, other], SCHEME)
    assert [item.record.path for item in corpus.slices] == [
        "adenocarcinoma/a.png",
        "large_cell_carcinoma/l.png",
        "normal/n.png",
        "malignant/m.png",
    ]
    assert corpus.targets.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]
    assert corpus.source_of.tolist() == [0, 0, 0, 1]
    assert corpus.groups[0] != corpus.groups[3]  # both data sets call a patient p1
    assert len(np.unique(corpus.strata)) == 4
    assert corpus.counts() == {"adenocarcinoma": 1, "large_cell_carcinoma": 1, "normal": 1}


def test_a_content_counts_once_with_the_narrowest_label_and_not_at_all_where_labels_contradict() -> None:
    other = dataset(
        "other",
        record("m1", "malignant", content="a"),
        record("m2", "malignant", content="n"),
        record("m3", "malignant"),
    )
    corpus = gather([MAIN, other], SCHEME)
    assert {item.record.sha256: item.allowed for item in corpus.slices} == {"a": (0,), "l": (1,), "m3": (0, 1)}


def test_what_a_further_data_set_tests_on_is_not_learnt() -> None:
    other = dataset("other", record("l2", "malignant", content="l", split="test"))
    assert "l" not in {item.record.sha256 for item in gather([MAIN, other], SCHEME).slices}


def test_one_data_set_keeps_its_digest_and_several_have_one_of_their_own() -> None:
    other = dataset("other", record("m", "malignant"))
    assert gather([MAIN], SCHEME).digest == MAIN.digest
    assert gather([MAIN, other], SCHEME).digest not in {MAIN.digest, other.digest}
