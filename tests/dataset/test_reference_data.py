"""What is known of the real reference data set is found in it."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from pathlib import Path

from hilum.dataset.importer import import_dataset
from hilum.dataset.splits import copies_of


def test_reference_data_set(reference_data: Path) -> None:
    manifest = import_dataset(reference_data)
    assert manifest.rejected == ()
    assert manifest.class_names == (
        "adenocarcinoma",
        "large_cell_carcinoma",
        "normal",
        "squamous_cell_carcinoma",
    )
    counts = manifest.class_counts()
    assert {split: sum(by_class.values()) for split, by_class in counts.items()} == {
        "train": 613,
        "valid": 72,
        "test": 315,
    }
    assert all(min(by_class.values()) > 0 for by_class in counts.values())

    splits_of: dict[str, set[str]] = defaultdict(set)
    for record in manifest.records:
        splits_of[record.sha256].add(record.split)
    assert len(manifest.records) == 1000
    assert len(splits_of) == 847
    assert sum(len(splits_of[record.sha256]) > 1 for record in manifest.records) == 120

    assert Counter(record.mode for record in manifest.records) == {"RGBA": 923, "RGB": 74, "L": 3}
    mislabelled = [r for r in manifest.records if "extension-mismatch" in r.warnings]
    assert mislabelled
    assert {r.file_format for r in mislabelled} == {"jpeg"}

    (conflict,) = manifest.conflicts
    assert [Path(path).name for path in conflict.paths] == ["l4.png", "sq2.png"]
    assert conflict.class_names == ("large_cell_carcinoma", "squamous_cell_carcinoma")
    trained_on = {record.path for record in manifest.trainable_records(("train", "valid"))}
    assert not trained_on & set(conflict.paths)

    test = manifest.of_split("test")
    copied = [test[i].class_name for i in copies_of(manifest)]
    assert copied.count("normal") == 47
    assert 70 <= len(copied) - 47 <= 130  # near copies among the cancers, hidden by cropping


def test_dicom_slices_in_class_folders(reference_data: Path, tmp_path: Path) -> None:
    series = reference_data.parent / "dicom/lidc-idri-0003"
    shutil.copytree(series, tmp_path / "slices/cancer", copy_function=shutil.copyfile)
    manifest = import_dataset(tmp_path / "slices")
    assert [(r.class_name, r.file_format) for r in manifest.records] == [("cancer", "dicom")] * 11
    assert {(r.width, r.height) for r in manifest.records} == {(512, 512)}
