"""`hilum train` and `hilum evaluate`: models made and measured. Thin like the command line they belong to."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hilum.command_inputs import bundle_path, dataset_of, training_packages
from hilum.errors import BundleInvalid, DatasetInvalid

if TYPE_CHECKING:
    from hilum.dataset.labels import LabelScheme
    from hilum.dataset.manifest import DatasetManifest


@click.command()
@click.option("--data", required=True, help="Folder, zip, manifest or kaggle:OWNER/NAME.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the new bundle.")
@click.option(
    "--arch",
    default="efficientnet-lite0",
    show_default=True,
    help="Or efficientnet-lite1, -lite2, a keras.applications name.",
)
@click.option(
    "--mode",
    type=click.Choice(["head", "upper", "full"]),
    help="Learn the head, the blocks above a frozen trunk, or all [upper; full where the blocks are not known].",
)
@click.option("--side", type=click.IntRange(32, 1024), default=256, show_default=True, help="Input side in pixels.")
@click.option("--epochs", type=click.IntRange(1), help="At the most; each mode has its default.")
@click.option("--weights", type=click.Path(exists=True, path_type=Path), help="Backbone weights to start from.")
@click.option("--seed", default=0, show_default=True, help="Of folds, initial head, shuffling and augmentation.")
@click.option(
    "--refit/--no-refit", default=True, show_default=True, help="Learn from the held-out fold too at the end."
)
@click.option("--cross-validate", type=click.IntRange(2), help="Fit so many folds of each way of splitting.")
@click.option("--fold-epochs", type=click.IntRange(1), help="Epochs of each of those folds [as the final fit].")
@click.option("--grouped-only", is_flag=True, help="Cross-validate without the folds of series and the random one.")
@click.option(
    "--frozen-blocks", type=click.IntRange(1), default=8, show_default=True, help="Of the trunk, in upper mode."
)
@click.option("--also", multiple=True, help="A further data set to learn from; may be given again.")
@click.option("--coarse", multiple=True, metavar="LABEL=CLASS+…", help="A label that may be any of several classes.")
@click.option("--ignore", multiple=True, metavar="LABEL", help="A label to leave out; may be given again.")
@click.option(
    "--gate", "gate_from", type=click.Path(path_type=Path), help="Bundle to take the gate of [the reference]."
)
@click.option("--anonymous-neighbours", is_flag=True, help="Leave the training slices' names out of the bundle.")
def train(
    data: str,
    out: Path,
    arch: str,
    *,
    mode: Literal["head", "upper", "full"] | None,
    also: tuple[str, ...],
    coarse: tuple[str, ...],
    ignore: tuple[str, ...],
    gate_from: Path | None,
    **options: Any,
) -> None:
    """Train a model; killed, the same command goes on where it was.

    The labels of --data are the model's classes. --also brings further data sets, whose labels may be coarser:
    `malignant` teaches the sum of the cancer classes.

    \b
    Examples:
      hilum train --data path/to/dataset --out models/mine --mode head
      hilum train --data kaggle:mohamedhanyyy/chest-ctscan-images --out models/mine
      hilum train --data path/to/dataset --also path/to/iq-oth-nccd --ignore benign --out models/mine
    """
    from hilum.dataset.labels import LabelScheme, cancer_classes, told_cancers
    from hilum.terminal import TerminalProgress

    with training_packages():
        from hilum.training.pipeline import train as train_model
        from hilum.training.training_settings import TrainingSettings, usual_mode

    manifest = dataset_of(data)
    scheme = LabelScheme.of(manifest.class_names, coarse=dict(map(_coarse_label, coarse)), ignored=ignore)
    others = [dataset_of(source) for source in also]
    _require_labels(ignore, [manifest, *others])
    told = told_cancers(scheme.class_names, cancer_classes(scheme.class_names))
    click.echo(f"{told} Names decide it: rename folders where it is wrong.", err=True)
    settings = TrainingSettings(architecture=arch, mode=mode or usual_mode(arch), **options)
    with TerminalProgress() as progress:
        train_model(
            manifest, out, settings, progress, also=others, scheme=scheme, gate_from=gate_from or _gate_source()
        )
    click.echo(f"bundle written to {out}; {_how_to_measure(out, data, manifest, scheme)}")


@click.command()
@click.option("--model", type=click.Path(path_type=Path), help="Bundle to measure [HILUM_MODEL, the reference model].")
@click.option("--data", required=True, help="Folder, zip, manifest or kaggle:OWNER/NAME.")
@click.option("--split", default="test", show_default=True, help="Split to measure on; 'all' takes every image.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for metrics.json and pictures [the bundle].")
@click.option("--coarse", multiple=True, metavar="LABEL=CLASS+…", help="A label that may be any of several classes.")
@click.option("--ignore", multiple=True, metavar="LABEL", help="A label to leave out; may be given again.")
@click.option("--quick", is_flag=True, help="Leave out explanation check, feature importance and robustness.")
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json instead of a table.")
def evaluate(
    model: Path | None,
    data: str,
    split: str,
    out: Path | None,
    *,
    coarse: tuple[str, ...],
    ignore: tuple[str, ...],
    quick: bool,
    as_json: bool,
) -> None:
    """Measure a model on data it has not seen.

    Writes metrics.json, the model card and pictures. On data whose labels are coarser than the model's classes, such
    as `malignant`, it measures cancer against none and prints it.

    \b
    Examples:
      hilum evaluate --model models/mine --data path/to/dataset --split test
      hilum evaluate --data path/to/iq-oth-nccd --ignore benign --split all
    """
    from hilum.dataset.labels import LabelScheme
    from hilum.inference.bundle import open_bundle
    from hilum.terminal import TerminalProgress

    with training_packages():
        from hilum.training.assessment import assess
        from hilum.training.coarse_assessment import is_coarse
        from hilum.training.report import write_assessment

    bundle = bundle_path(model)
    class_names = open_bundle(bundle).manifest.class_names
    scheme = LabelScheme.of(class_names, coarse=dict(map(_coarse_label, coarse)), ignored=ignore)
    manifest = dataset_of(data)
    _require_labels(ignore, [manifest])
    if is_coarse(manifest, scheme):
        _evaluate_coarse(bundle, manifest, split, scheme, as_json=as_json)
        return
    if scheme.ignored:
        manifest = manifest.without(scheme.ignored)
    with TerminalProgress() as progress:
        assessment = assess(bundle, manifest, split, progress, quick=quick)
    folder = write_assessment(assessment, bundle, out)
    if as_json:
        click.echo(json.dumps(assessment.to_dict()))
    else:
        from hilum.assessment_tables import print_assessment

        print_assessment(assessment)
    click.echo(f"written to {folder}", err=True)


def _how_to_measure(out: Path, data: str, manifest: DatasetManifest, scheme: LabelScheme) -> str:
    """The command that measures a new bundle on what was set aside of its data, if anything was."""
    tested = {record.class_name for record in manifest.of_split("test")} - scheme.ignored
    if not tested:
        return "its data have no test split: measure it with hilum evaluate on images that it has not seen"
    ignored = [word for label in sorted(scheme.ignored & set(manifest.class_names)) for word in ("--ignore", label)]
    coarse = [
        word
        for label in sorted(tested - set(scheme.class_names))
        for word in ("--coarse", f"{label}={'+'.join(scheme.coarse[label])}")
    ]
    command = ["hilum", "evaluate", "--model", str(out), "--data", data, *ignored, *coarse]
    return f"measure it with: {shlex.join(command)}"


def _evaluate_coarse(
    bundle: Path, manifest: DatasetManifest, split: str, scheme: LabelScheme, *, as_json: bool
) -> None:
    from hilum.assessment_tables import print_coarse_assessment
    from hilum.terminal import TerminalProgress
    from hilum.training.coarse_assessment import assess_coarse

    with TerminalProgress() as progress:
        assessment = assess_coarse(bundle, manifest, split, scheme, progress)
    if as_json:
        click.echo(json.dumps(assessment.to_dict()))
    else:
        print_coarse_assessment(assessment)


def _coarse_label(option: str) -> tuple[str, list[str]]:
    label, separator, classes = option.partition("=")
    if not (label and separator and classes):
        raise click.UsageError(f"--coarse takes LABEL=CLASS or LABEL=CLASS+CLASS, not {option!r}")
    return label, classes.split("+")


def _gate_source() -> Path | None:
    """The reference model, whose gate a new bundle inherits; None where there is none to inherit."""
    from hilum.inference.bundle import gate_of
    from hilum.services.reference import reference_bundle

    try:
        return reference_bundle() if gate_of(reference_bundle()) else None
    except BundleInvalid:
        return None


def _require_labels(ignored: Sequence[str], manifests: Sequence[DatasetManifest]) -> None:
    """A label that is ignored and not there is one misspelt, whose images would be learnt or measured."""
    known = {name for manifest in manifests for name in manifest.class_names}
    if unknown := sorted(set(ignored) - known):
        raise DatasetInvalid(f"--ignore {unknown[0]}: no image has this label; there are {', '.join(sorted(known))}")
