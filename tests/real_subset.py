"""A small part of the real data set, and a champion that learnt from a handful of it: one that more slices change."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.dataset.importer import import_dataset
from hilum.services.reference import reference_bundle

CLASSES = {
    "adenocarcinoma": ("adenocarcinoma_left.lower.lobe_T2_N0_M0_Ib", "adenocarcinoma"),
    "large_cell_carcinoma": ("large.cell.carcinoma_left.hilum_T2_N2_M0_IIIa", "large.cell.carcinoma"),
    "normal": ("normal", "normal"),
    "squamous_cell_carcinoma": ("squamous.cell.carcinoma_left.hilum_T1_N2_M0_IIIa", "squamous.cell.carcinoma"),
}
"""Each class's folders in `train` and `test`."""


def spread(folder: Path, count: int) -> list[Path]:
    """So many files of a folder, from all over it."""
    files = sorted(folder.iterdir())
    return files[:: max(1, len(files) // count)][:count]


def slices_of(data: Path, split: str, count: int, normal: int) -> dict[str, list[Path]]:
    """By class, so many slices of a split; `normal` has many copies of each."""
    place = ("train", "test").index(split)
    return {
        name: spread(data / split / folders[place], normal if name == "normal" else count)
        for name, folders in CLASSES.items()
    }


def train_weak_champion(data: Path, root: Path, *, epochs: int, is_mixed_up: bool = False) -> Path:
    """Trains a head on 6 slices of each class, with the reference model's gate, and returns the bundle in `root`.

    Args:
        data: the real data set.
        root: for its slices and the bundle.
        epochs: the more, the surer of itself.
        is_mixed_up: each class's slices are called by the next one's name.
    """
    from hilum.training.pipeline import train
    from hilum.training.training_settings import TrainingSettings

    few = root / "few"
    slices = slices_of(data, "train", 6, 12)
    names = [*CLASSES][1:] + [*CLASSES][:1] if is_mixed_up else [*CLASSES]
    for name, files in zip(names, slices.values(), strict=True):
        (few / "train" / name).mkdir(parents=True)
        for file in files:
            (few / "train" / name / file.name).write_bytes(file.read_bytes())
    settings = TrainingSettings(mode="head", side=96, epochs=epochs, refit=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hilum.training.packing._is_worth_serving", lambda *_: False)  # else the machine's speed decides
        return train(import_dataset(few), root / "champion", settings, lambda *_: None, gate_from=reference_bundle())
