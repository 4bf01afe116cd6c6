"""What a person sees of an evaluation in a terminal: its tables. Prints what it is given, computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table

from hilum.terminal import wide_console

if TYPE_CHECKING:
    from hilum.evaluation import Figure
    from hilum.training.assessment import Assessment
    from hilum.training.coarse_assessment import CoarseAssessment
    from hilum.training.probes.findings import FeatureImportance


def print_coarse_assessment(assessment: CoarseAssessment) -> None:
    """Cancer against none, then how each label was answered."""
    console = wide_console()
    console.print(f"{assessment.model_version} on {assessment.dataset}, split {assessment.split}")
    if cancer := assessment.cancer:
        table = Table(box=box.SIMPLE)
        for heading in ("cancer against none", "value", "95 % interval", "n"):
            table.add_column(heading, justify="left" if heading.startswith("cancer") else "right")
        figures = {"AUROC": cancer.auroc, "sensitivity": cancer.sensitivity, "specificity": cancer.specificity}
        for name, figure in figures.items():
            table.add_row(name, *_cells(figure), str(figure.n))
        console.print(table)
    labels = Table(box=box.SIMPLE)
    for heading in ("label", "may be", "n", "called cancer", "mean cancer probability", "marked review"):
        labels.add_column(heading, justify="left" if heading in {"label", "may be"} else "right")
    for row in assessment.by_label:
        shares = (row.called_cancer, row.mean_cancer_probability, row.review_share)
        meaning = ", ".join(row.meaning) or "no class of this model"
        labels.add_row(row.label, meaning, str(row.n), *(_cells(figure)[0] for figure in shares))
    console.print(labels)


def print_assessment(assessment: Assessment) -> None:
    """Headline figures, per-class figures and the confusion matrix."""
    console = wide_console()
    overall = assessment.overall
    console.print(
        f"{assessment.model.model_version} on {assessment.dataset}, split {assessment.split}, n = {overall.n}"
    )
    for caution in _cautions(assessment):
        console.print(f"[yellow]{escape(caution)}", highlight=False)
    table = Table(box=box.SIMPLE)
    for heading in ("figure", "value", "95 % interval", "n"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for name, figure in assessment.headline():
        table.add_row(name, *_cells(figure), str(figure.n))
    for name, figure in _decision_figures(assessment):
        value, interval = _cells(figure) if figure.n else ("none was", "")
        table.add_row(name, value, interval, str(figure.n))
    console.print(table)
    classes = Table(box=box.SIMPLE)
    for heading in ("class", "n", "precision", "recall", "F1", "AUROC", *("→ " + n for n in overall.class_names)):
        classes.add_column(heading, justify="left" if heading == "class" else "right", overflow="fold")
    for row, counts in zip(overall.per_class, overall.confusion_matrix, strict=True):
        figures = (row.precision, row.recall, row.f1, row.auroc)
        classes.add_row(row.class_name, str(row.support), *(_cells(f)[0] for f in figures), *map(str, counts))
    console.print(classes)
    console.print(_split_truth(assessment), *_external(assessment))
    if conformal := assessment.conformal:
        value, interval = _cells(conformal.coverage)
        console.print(
            f"prediction sets held the true class in {value} ({interval}), n = {conformal.coverage.n}; "
            f"made for {conformal.target:.2f}"
        )
    if findings := assessment.findings:
        console.print(_importance(findings.importance))
        for sentence in findings.importance.sentences:
            console.print(f"[yellow]{escape(sentence)}", highlight=False)
        console.print(escape(findings.robustness.sentence), highlight=False)


def _cautions(assessment: Assessment) -> list[str]:
    """What a reader must know before the figures."""
    cautions = list(assessment.overall.notes)
    if count := assessment.n_trained_on:
        so = "see the rows without copies" if assessment.without_copies else "the figures flatter"
        cautions.insert(0, f"{count} of these very files were trained on; {so}")
    return cautions


def _decision_figures(assessment: Assessment) -> list[tuple[str, Figure]]:
    """How many were marked for review, and how many of the others were right, with Wilson's intervals."""
    from hilum.evaluation import share_figure

    n = assessment.overall.n
    reviewed = round(assessment.review_share * n)
    right = round((assessment.confident_accuracy or 0.0) * (n - reviewed))
    return [
        ("marked review", share_figure(reviewed, n)),
        ("accuracy when confident", share_figure(right, n - reviewed)),
    ]


def _split_truth(assessment: Assessment) -> Table:
    """Every split's figures, those measured here first."""
    shown = Table(box=box.SIMPLE)
    for heading in ("split", "n", "accuracy", "95 % interval", "macro F1", "95 % interval"):
        shown.add_column(heading, justify="left" if heading == "split" else "right")
    for row in assessment.split_truth():
        shown.add_row(escape(row.name), str(row.n), *_cells(row.accuracy), *_cells(row.macro_f1))
    return shown


def _external(assessment: Assessment) -> list[Table]:
    """Cancer against none on other data, each row with what it says; no table where there is none."""
    shown = Table(box=box.SIMPLE)
    for heading in ("cancer against none", "n", "AUROC", "sensitivity", "specificity"):
        shown.add_column(heading, justify="left" if heading.startswith("cancer") else "right")
    for row in assessment.splits.external:
        figures = (" ".join(_cells(figure)) for figure in (row.auroc, row.sensitivity, row.specificity))
        shown.add_row(escape(f"{row.name}: {row.note}"), str(row.n), *figures)
    return [shown] if assessment.splits.external else []


def _importance(importance: FeatureImportance) -> Table:
    """What filling a region and exchanging a property did."""
    shown = Table(box=box.SIMPLE)
    for heading in ("filled or exchanged", "n", "change of true probability", "95 % interval", "other answers"):
        shown.add_column(heading, justify="left" if heading.startswith("filled") else "right")
    for name, effect, figure in (
        *((row.region, row.effect, row.effect.probability_drop) for row in importance.regions),
        *((row.name, row.effect, row.effect.probability_change) for row in importance.properties.rows),
    ):
        shown.add_row(name.replace("_", " "), str(effect.n), *_cells(figure), str(effect.n_changed))
    return shown


def _cells(figure: Figure) -> tuple[str, str]:
    if figure.value is None:
        return "undefined", ""
    interval = "" if figure.low is None else f"{figure.low:.4f} – {figure.high:.4f}"
    return f"{figure.value:.4f}", interval
