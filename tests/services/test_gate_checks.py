"""What a challenger must show: each margin holds to the digit, in the direction of harm and in no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gated_bundle import gated_copy
from hilum.evaluation import PairedTest
from hilum.evaluation.differences import Difference, Differences
from hilum.evaluation.label_noise import LabelNoise
from hilum.inference.bundle import open_bundle
from hilum.inference.manifest import Manifest, Parity
from hilum.services import gate_checks as checks
from hilum.services.gate_checks import Check, GateRules

RULES = GateRules()
NEARLY = 1e-9


def difference(low: float = 0.0, high: float = 0.0, value: float = 0.0) -> Difference:
    """B minus A with its interval."""
    return Difference(0.9, 0.9 + value, value, low, high, 300)


def measured(**changes: Difference) -> list[Check]:
    """The checks of measures where nothing but these differs."""
    same = difference()
    recall = {"normal": changes.pop("recall", same), "adenocarcinoma": same}
    found = {"accuracy": same, "expected_calibration_error": same, "log_loss": same} | changes
    return checks.measures(Differences(recall=recall, **found), RULES)


def failed(found: list[Check]) -> list[str]:
    """Names of the checks that refuse."""
    return [check.name for check in found if not check.passed]


@pytest.mark.parametrize(
    ("measure", "name", "margin", "is_better_higher"),
    [
        ("accuracy", "accuracy", 0.03, True),
        ("recall", "recall:normal", 0.15, True),
        ("expected_calibration_error", "calibration", 0.05, False),
        ("log_loss", "log-loss", 0.10, False),
    ],
)
def test_harm_must_be_shown_to_stay_within_the_margin(
    measure: str, name: str, margin: float, is_better_higher: bool
) -> None:
    for beyond, expected in ((-NEARLY, []), (0.0, [name]), (NEARLY, [name])):
        harm = margin + beyond
        worst = difference(low=-harm) if is_better_higher else difference(high=harm)
        assert failed(measured(**{measure: worst})) == expected
        good = difference(high=harm + 1) if is_better_higher else difference(low=-harm - 1)
        assert failed(measured(**{measure: good})) == [], "being better is no harm"
    (found,) = [check for check in measured() if check.name == name]
    assert (found.margin, found.champion, found.challenger) == (margin, 0.9, 0.9)


def test_each_source_keeps_its_accuracy() -> None:
    found = checks.sources_kept({"ward": difference(low=-0.1), "clinic": difference(low=-0.1 + NEARLY)}, RULES)
    assert [(check.name, check.passed) for check in found] == [("source:ward", False), ("source:clinic", True)]


@pytest.mark.parametrize(("n", "passed"), [(0, False), (19, False), (20, True), (300, True)])
def test_a_test_set_of_few_images_shows_nothing(n: int, passed: bool) -> None:
    assert checks.size_of_test_set(n, RULES).passed is passed


@pytest.mark.parametrize(
    ("only_champion", "only_challenger", "p_value", "passed"),
    [(9, 1, 0.049, False), (9, 1, 0.05, True), (1, 9, 0.001, True), (5, 5, 0.01, True)],
)
def test_only_a_challenger_that_is_worse_is_significantly_worse(
    only_champion: int, only_challenger: int, p_value: float, passed: bool
) -> None:
    assert checks.not_significantly_worse(PairedTest(only_champion, only_challenger, p_value)).passed is passed


@pytest.mark.parametrize(("factor", "passed"), [(0.5, True), (1.5, True), (1.51, False)])
def test_what_serves_becomes_neither_slow_nor_large(factor: float, passed: bool) -> None:
    assert checks.within_factor("latency", "ms", 4.0, 4.0 * factor, RULES.seconds).passed is passed
    assert checks.within_factor("size", "MB", 4.0, 4.0 * factor, RULES.bytes).passed is passed


@pytest.mark.parametrize(("low", "passed"), [(-0.1, True), (0.02, True), (0.02 + NEARLY, False)])
def test_new_labels_may_be_contradicted_as_often_as_the_champion_errs(low: float, passed: bool) -> None:
    noise = LabelNoise(np.array([True, False, True]), np.zeros(3, np.intp), 2 / 3, 0.1, low)
    found = checks.labels_agree(noise, RULES)
    assert (found.passed, found.champion, found.challenger) == (passed, 0.1, 2 / 3)
    assert found.detail.startswith("2 of 3 new labels")
    assert found.detail.endswith(f"by at least {'0.000' if low < 0 else '0.020'}")
    nothing = checks.labels_agree(None, RULES)
    assert (nothing.passed, nothing.detail.split(",")[0]) == (True, "fewer than 20 new images")


def test_a_check_is_told_with_its_margin() -> None:
    assert checks.size_of_test_set(12, RULES).to_dict() == {
        "name": "test-images", "passed": False, "detail": "12 test images; at least 20 are needed",
        "champion": None, "challenger": None, "margin": 20,
    }  # fmt: skip


@pytest.fixture
def plain(tiny_bundle: Path) -> Manifest:
    return open_bundle(tiny_bundle).manifest


@pytest.fixture
def gated(tiny_bundle: Path, tmp_path: Path) -> Manifest:
    return open_bundle(gated_copy(tiny_bundle, tmp_path / "gated")).manifest


def test_a_gate_is_never_lost_and_refuses_no_more(plain: Manifest, gated: Manifest) -> None:
    def passed(champion: Manifest, challenger: Manifest, more: float = 0.0) -> bool:
        return checks.gate_kept((champion, 0.25), (challenger, 0.25 + more), RULES).passed

    assert not passed(gated, plain)
    assert passed(plain, gated)
    assert passed(plain, plain)
    assert passed(plain, gated, 0.7), "the champion had no gate to compare with"
    assert [passed(gated, gated, more) for more in (-0.2, 0.0, 0.02, 0.03)] == [True, True, True, False]
    assert gated.gate is not None
    other = gated.model_copy(update={"files": gated.files | {gated.gate.file: "0" * 64}})
    same, another = (checks.gate_kept((gated, 0.0), (new, 0.0), RULES).detail for new in (gated, other))
    assert (same.split(";")[0], another.split(";")[0]) == ("the same gate", "another gate")


def test_no_class_is_forgotten_and_new_ones_may_come(plain: Manifest) -> None:
    more = plain.model_copy(update={"class_names": (*plain.class_names, "metastasis")})
    lost, added, same = (checks.classes_kept(*pair) for pair in ((more, plain), (plain, more), (plain, plain)))
    assert (lost.passed, lost.detail) == (False, "without metastasis")
    assert (added.passed, added.detail) == (True, "new: metastasis")
    assert (same.passed, same.detail) == (True, "the same")


@pytest.mark.parametrize(
    ("agreement", "largest", "passed"),
    [(1.0, 0.0, True), (0.99, 0.1, True), (0.989, 0.0, False), (1.0, 0.11, False), (0.5, 0.5, False)],
)
def test_the_graph_that_serves_answers_as_the_trained_model(
    plain: Manifest, agreement: float, largest: float, passed: bool
) -> None:
    parity = Parity(n=300, agreement=agreement, max_probability_difference=largest)
    new = plain.model_copy(update={"parity": {plain.engine_files[0]: parity, "other.onnx": parity}})
    assert checks.graphs_agree(new, RULES).passed is passed
    assert not checks.graphs_agree(plain.model_copy(update={"parity": {"other.onnx": parity}}), RULES).passed


def test_no_difference_passes_though_few_images_bound_it_loosely() -> None:
    unseen = Difference(0.9, 0.9, 0.0, -0.2, 0.2, 10, is_same=True)
    (kept,) = [check for check in measured(accuracy=unseen) if check.name == "accuracy"]
    assert kept.passed
    assert kept.detail == "no difference, at worst -0.2000 (n 10)"
    all_lost = Difference(1.0, 0.0, -1.0, -1.0, -0.8, 10, is_same=True)
    assert failed(measured(accuracy=all_lost)) == ["accuracy"]
