"""The reference data set in the store: its copies and its conflict, found again file by file."""

from __future__ import annotations

from pathlib import Path

from hilum.dataset.alignment import ALIGNED_COPY, best_twins
from hilum.dataset.groups import read_fingerprints
from hilum.dataset.splits import copies_of
from hilum.services.incoming_folder import list_folder, read_files
from labelled_samples import opened_datasets


def test_the_reference_data_set_is_taken_in_without_a_copy_of_a_test_image(
    reference_data: Path, tmp_path: Path
) -> None:
    files = list_folder(reference_data)
    with opened_datasets(f"sqlite:///{tmp_path / 'hilum.db'}", tmp_path / "blobs") as datasets:
        batch = datasets.add(read_files(files), source="import", takes_new_classes=True, workers=2)
        manifest = datasets.materialise(datasets.snapshot().digest, tmp_path / "run")

    names = [f"{file.path.parent.name}/{file.path.name}" for file in files]
    conflicting = {names[item["index"]] for item in batch.items if item["code"] == "label-conflict"}
    assert {name.split("/")[1] for name in conflicting} == {"l4.png", "sq2.png"}
    assert (batch.accepted, batch.duplicates, batch.quarantined, batch.refused) == (660, 74, 2, 264)
    assert manifest.class_names == (
        "adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma",
    )  # fmt: skip
    assert {split: sum(counts.values()) for split, counts in manifest.class_counts().items()} == {
        "test": 288,
        "train": 372,
    }
    assert copies_of(manifest, "train", ("test",)).size == 0
    prints = [read_fingerprints(manifest, manifest.of_split(split)) for split in ("train", "test")]
    assert [twin for twin in best_twins(*prints) if twin.aligned > ALIGNED_COPY] == []
