"""Writes what was measured: `metrics.json`, each answer, pictures and the model card. Measures nothing."""

from __future__ import annotations

import json
from pathlib import Path

from hilum.inference.bundle import METRICS, add_to_bundle
from hilum.inference.measured_answers import ANSWERS
from hilum.training.assessment import Assessment
from hilum.training.card import write_card
from hilum.training.figures import write_figures, write_importance


def write_assessment(assessment: Assessment, bundle: Path, out: Path | None) -> Path:
    """Writes `metrics.json`, `answers.json`, the pictures and the model card.

    Args:
        assessment: what was measured.
        bundle: the model it was measured on.
        out: where to; None puts them into the bundle, whose manifest then lists their hashes.

    Returns:
        The folder written to.
    """
    folder = out or bundle
    folder.mkdir(parents=True, exist_ok=True)
    (folder / METRICS).write_text(json.dumps(assessment.to_dict(), indent=1) + "\n")
    assessment.answers.save(folder / ANSWERS)
    pictures = write_figures(assessment.overall, assessment.training_history, folder)
    if assessment.findings:
        pictures.append(write_importance(assessment.findings.importance, folder))
    card = write_card(assessment, folder)
    if out is None:
        add_to_bundle(bundle, [folder / METRICS, folder / ANSWERS, card, *pictures])
    return folder
