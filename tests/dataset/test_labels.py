"""Labels say a class, one of several, or nothing; what they cannot say is refused with the remedy."""

from __future__ import annotations

import pytest

from hilum.dataset.labels import LabelScheme, cancer_classes, told_cancers
from hilum.errors import DatasetInvalid

REFERENCE = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")


def test_the_reference_classes_take_malignant_as_any_cancer() -> None:
    scheme = LabelScheme.of(REFERENCE)
    assert scheme.class_names == REFERENCE
    assert scheme.allowed("normal") == (2,)
    assert scheme.allowed("malignant") == scheme.allowed("cancer") == (0, 1, 3)


def test_without_subtypes_malignant_is_a_class_of_its_own() -> None:
    scheme = LabelScheme.of(("benign", "malignant", "normal"))
    assert scheme.class_names == ("benign", "malignant", "normal")
    assert scheme.allowed("malignant") == (1,)
    assert cancer_classes(scheme.class_names) == ("malignant",)


def test_a_coarse_label_among_the_classes_is_no_class() -> None:
    scheme = LabelScheme.of((*REFERENCE, "malignant", "benign"), coarse={"benign": ["normal"]})
    assert scheme.class_names == REFERENCE
    assert scheme.allowed("malignant") == (0, 1, 3)
    assert scheme.allowed("benign") == (2,)


def test_given_meanings_win_and_ignored_labels_teach_nothing() -> None:
    scheme = LabelScheme.of(
        (*REFERENCE, "benign"), coarse={"malignant": ["adenocarcinoma", "normal"]}, ignored=["benign"]
    )
    assert scheme.class_names == REFERENCE
    assert scheme.allowed("malignant") == (0, 2)
    assert scheme.allowed("benign") == ()


def test_an_unknown_label_is_refused_with_the_options_that_help() -> None:
    with pytest.raises(DatasetInvalid, match=r"--coarse benign=CLASS.*--ignore benign"):
        LabelScheme.of(REFERENCE).allowed("benign")


def test_a_coarse_label_cannot_mean_a_class_there_is_not() -> None:
    with pytest.raises(DatasetInvalid, match="no class sarcoma"):
        LabelScheme.of(REFERENCE, coarse={"malignant": ["cancer", "sarcoma"]})


def test_which_classes_count_as_cancers_is_said() -> None:
    def told(*names: str) -> str:
        return told_cancers(names, cancer_classes(names))

    assert told("adenocarcinoma", "large_cell", "normal") == (
        "As cancers count adenocarcinoma; as none count large_cell, normal."
    )
    assert "No class counts as a cancer" in told("clear", "nodule")
    assert "Every class counts as a cancer" in told("adenocarcinoma", "malignant")
