"""The eight points known of the reference data set are found in it, with their figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.dataset.audit.auditing import audit
from hilum.dataset.audit.finding import Audit, Finding
from hilum.dataset.importer import read_dataset


@pytest.fixture(scope="module")
def found(reference_data: Path) -> Audit:
    return audit(read_dataset(reference_data))


def of(found: Audit, code: str) -> Finding:
    finding = found.finding(code)
    assert finding is not None, code
    assert finding.effect, code
    return finding


def number(finding: Finding, name: str) -> float:
    return float(finding.figures[name])


def test_1_class_folders_are_named_differently(found: Audit) -> None:
    folders = of(found, "folder-names")
    assert (folders.figures["differing"], folders.figures["classes"], folders.figures["shared"]) == (3, 4, 1)
    assert folders.figures["swapped"] == "normal, squamous_cell_carcinoma"
    assert found.scores["picture/test-classes-by-position"].value < found.scores["picture/test"].value - 0.15


def test_2_some_png_files_are_jpegs(found: Audit) -> None:
    wrong, mixed = of(found, "wrong-extensions"), of(found, "mixed-exports")
    assert wrong.figures["files"] == len(wrong.files) > 0
    assert [mixed.figures[f"mode_{mode}"] for mode in ("RGBA", "RGB", "L")] == [923, 74, 3]
    assert (mixed.figures["min_width"], mixed.figures["max_width"]) == (168, 1200)


def test_3_copies(found: Audit) -> None:
    copies, near, few = of(found, "byte-copies"), of(found, "near-copies"), of(found, "few-pictures")
    assert [copies.figures[name] for name in ("files", "distinct", "with_twin_in_another_split")] == [1000, 847, 120]
    assert (near.figures["test_copied_normal"], near.figures["test_normal"]) == (47, 54)
    assert few.figures["normal_files"] == 215
    assert 34 <= number(few, "normal_pictures") <= 44


def test_4_one_conflicting_label(found: Audit) -> None:
    conflict = of(found, "conflicting-labels")
    assert conflict.figures["contents"] == 1
    assert [Path(path).name for path in conflict.files] == ["l4.png", "sq2.png"]


def test_5_the_same_slices_under_another_crop(found: Audit) -> None:
    hidden, names = of(found, "hidden-copies"), of(found, "named-series")
    assert hidden.figures["test_cancers"] == 261
    assert number(hidden, "fitted_0.99") >= 18
    assert number(hidden, "fitted_0.97") >= 66
    assert number(hidden, "fitted_0.95") >= 125
    n_same_slice = number(hidden, "fitted_0.97")
    assert number(hidden, "same_class") >= n_same_slice - 4
    assert number(names, "observed") > 0.8 > 0.3 > number(names, "chance")
    assert number(names, "p_value") <= 0.01
    assert number(of(found, "shared-patients"), "close") > 40


def test_6_valid_is_not_independent_of_train(found: Audit) -> None:
    valid = of(found, "dependent-valid")
    assert number(valid, "closeness") > 0.5
    assert number(valid, "same_class_share") > 0.8
    assert found.scores["picture/valid"].value > found.scores["picture/test"].value + 0.15


def test_7_grey_values_betray_normal(found: Audit) -> None:
    grey = of(found, "shortcut-grey-values")
    assert grey.severity == "warning"
    assert number(grey, "cancer_balanced_accuracy") > 0.9
    assert number(grey, "median_normal") > 220 > 180 > number(grey, "median_adenocarcinoma")


def test_8_the_split_decides_the_score(found: Audit) -> None:
    of(found, "split-decides")
    scores = {plan: found.scores[f"picture/{plan}"].value for plan in ("random", "near-copies", "series", "test")}
    clean = found.scores["picture/test-without-copies"]
    assert scores["random"] == pytest.approx(0.931, abs=0.03)
    assert scores["near-copies"] == pytest.approx(0.812, abs=0.06)
    assert scores["series"] < scores["near-copies"] - 0.1
    assert scores["test"] == pytest.approx(0.565, abs=0.06)
    assert clean.value == pytest.approx(0.489, abs=0.08)
    assert clean.n == 188
    assert all(score.low <= score.value <= score.high for score in found.scores.values())
