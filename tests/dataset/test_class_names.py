"""Folder names as people write them become class names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.dataset.class_names import normalise_class_name, split_of_folder
from hilum.errors import DatasetInvalid


@pytest.mark.parametrize(
    ("folder", "class_name"),
    [
        ("adenocarcinoma_left.lower.lobe_T2_N0_M0_Ib", "adenocarcinoma"),
        ("large.cell.carcinoma_left.hilum_T2_N2_M0_IIIa", "large_cell_carcinoma"),
        ("squamous.cell.carcinoma_left.hilum_T1_N2_M0_IIIa", "squamous_cell_carcinoma"),
        ("large.cell.carcinoma", "large_cell_carcinoma"),
        ("Squamous Cell-Carcinoma", "squamous_cell_carcinoma"),
        ("LargeCellCarcinoma", "large_cell_carcinoma"),
        ("NORMAL", "normal"),
        (" normal cases ", "normal_cases"),
        ("adenocarcinoma T1c N0 M0", "adenocarcinoma"),
        ("left_lung", "left_lung"),
        ("T2_weighted", "t2_weighted"),
        ("Größe 2", "grösse_2"),
        ("小細胞癌", "小細胞癌"),
    ],
)
def test_class_names(folder: str, class_name: str) -> None:
    assert normalise_class_name(folder) == class_name


@given(st.text(max_size=40))
def test_normalising_again_changes_nothing(name: str) -> None:
    try:
        once = normalise_class_name(name)
    except DatasetInvalid:
        return
    assert normalise_class_name(once) == once
    assert not once.startswith("_")


@pytest.mark.parametrize("folder", ["...", "_", ""])
def test_name_without_a_letter_is_refused(folder: str) -> None:
    with pytest.raises(DatasetInvalid, match="rename it"):
        normalise_class_name(folder)


def test_splits_go_by_many_names() -> None:
    assert [split_of_folder(n) for n in ("Train", "training", "val", "Validation", "valid", "TEST", "testing")] == [
        *["train"] * 2,
        *["valid"] * 3,
        *["test"] * 2,
    ]
    assert split_of_folder("normal") is None
