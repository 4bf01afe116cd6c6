"""The card says what a reader must know: figures, limits, splits, coverage, and whose data it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hilum.assessment_tables import print_assessment
from hilum.evaluation import Figure, evaluate
from hilum.inference.bundle import open_bundle
from hilum.inference.measured_answers import MeasuredAnswers
from hilum.training.assessment import Assessment, Conformal
from hilum.training.card import write_card
from hilum.training.split_rows import SplitRow, SplitRows

FIGURE = Figure(0.981, 0.962, 0.994, 315)


@pytest.fixture
def assessment(tiny_bundle: Path) -> Assessment:
    """Of four images, on a data set of no name."""
    model = open_bundle(tiny_bundle).manifest
    probabilities = [[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1], [0.7, 0.1, 0.1, 0.1]]
    return Assessment(
        model=model,
        dataset="phantoms",
        dataset_digest=model.dataset_digest,
        split="test",
        overall=evaluate(probabilities, [0, 1, 2, 3], model.class_names, n_bootstrap=20),
        without_copies=None,
        n_trained_on=0,
        review_share=0.25,
        confident_accuracy=1.0,
        training_history=[],
        class_distribution={"test": dict.fromkeys(model.class_names, 1)},
        conformal=None,
        splits=SplitRows((), ()),
        findings=None,
        answers=MeasuredAnswers(split="test", dataset_digest="", class_names=model.class_names, answers=()),
    )


def test_the_card_of_any_data_names_no_other(assessment: Assessment, tmp_path: Path) -> None:
    card = write_card(assessment, tmp_path).read_text()
    assert "A tiny that classifies" in card
    assert "not a medical device" in card
    assert "children" not in card  # nobody knows of how old patients the data are
    assert "As cancers count adenocarcinoma" in card
    benign = replace(assessment, model=assessment.model.model_copy(update={"cancer_class_names": ()}))
    assert "No class counts as a cancer" in write_card(benign, tmp_path).read_text()  # as its bundle has it
    assert "## Intended use" in card
    assert "Kaggle" not in card
    assert "Mendeley" not in card
    assert "## The same recipe" not in card  # there is one row only
    assert "training-history.png" not in card


def test_a_split_that_lacks_a_class_is_said_to(
    assessment: Assessment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = evaluate([[0.7, 0.1, 0.1, 0.1]] * 2, [0, 1], assessment.model.class_names, n_bootstrap=20)
    lacks = replace(assessment, overall=lacking, n_trained_on=2)
    print_assessment(lacks)
    told = " ".join(capsys.readouterr().out.split())
    assert "No image is of class normal: its recall counts as 0" in told
    assert "2 of these very files were trained on; the figures flatter" in told
    assert "No image is of class normal" in write_card(lacks, tmp_path).read_text()
    assert replace(lacks, split="all").split_truth()[0].name == "all images"


def test_the_article_fits_the_architecture(assessment: Assessment, tmp_path: Path) -> None:
    model = assessment.model.model_copy(update={"architecture": "efficientnet-lite0"})
    card = write_card(replace(assessment, model=model), tmp_path).read_text()
    assert "An efficientnet-lite0 that classifies" in card


def test_a_model_that_was_never_confident_is_not_said_to_be_always_wrong(
    assessment: Assessment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    never = replace(assessment, review_share=1.0, confident_accuracy=None)
    assert "no answer was confident" in write_card(never, tmp_path).read_text()
    assert never.to_dict()["confident_accuracy"] is None
    print_assessment(never)
    told = capsys.readouterr().out
    assert "none was" in told
    assert "large_cell_carcinoma" in told  # folded where there is no room, not cut


@pytest.mark.parametrize("name", ["chest-ct-scan-images", "chest-ctscan-images"])
def test_data_that_were_used_are_attributed(assessment: Assessment, tmp_path: Path, name: str) -> None:
    model = assessment.model.model_copy(update={"sources": (name, "iq-oth-nccd")})
    card = write_card(replace(assessment, model=model, dataset=name), tmp_path).read_text()
    assert f"on `{name}` and `iq-oth-nccd`" in card
    assert card.count("Open Database License") == 1
    assert "mohamedhanyyy/chest-ctscan-images" in card
    assert "bhmdr45bh2" in card
    assert "CC BY 4.0" in card


def test_coverage_and_other_splits_are_told(assessment: Assessment, tmp_path: Path) -> None:
    rows = SplitRows((SplitRow("random cross-validation", 577, FIGURE, FIGURE, "flatters"),), ())
    conformal = Conformal(0.98, FIGURE, Figure(1.12, 1.05, 1.2, 315), FIGURE)
    card = write_card(replace(assessment, splits=rows, conformal=conformal), tmp_path).read_text()
    assert "hold the true class in 98% of slices" in card
    assert "hold it in 0.981 [0.962, 0.994]" in card
    split_rows = [line for line in card.splitlines() if line.startswith(("| test split", "| random"))]
    assert [line.split(" | ")[0] for line in split_rows] == ["| test split", "| random cross-validation"]
