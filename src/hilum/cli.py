"""The command line: a thin door. Imports what a command needs when it runs, so that `--help` is instant."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hilum.access_commands import audit_log, keys
from hilum.batch_commands import batch, batches_group
from hilum.dataset_commands import dataset_add
from hilum.drift_commands import drift
from hilum.errors import BundleInvalid, DatasetNotFound, HilumError, InputRejected, NotAChestCt, TrainingFailed
from hilum.model_commands import models
from hilum.state_commands import db, replay
from hilum.study_commands import predict_study, write_slice_report
from hilum.training_commands import retrain, runs, worker

if TYPE_CHECKING:
    from hilum.dataset.importer import GroupsBy
    from hilum.dataset.labels import LabelScheme
    from hilum.dataset.manifest import DatasetManifest
    from hilum.dataset.scan import Scan
    from hilum.inference.predictor import Prediction, Predictor
    from hilum.settings import Settings
    from hilum.terminal import TerminalProgress

_EPILOG = """\b
Exit codes: 0 done, 1 unexpected, 2 wrong usage, 3 an input cannot be used, 4 a data set cannot be used,
5 a model cannot be served, 6 training failed, 7 state cannot be used, 8 an answer was not reproduced.

hilum is research software, not a medical device."""


_CONTEXT = {"help_option_names": ["-h", "--help"], "obj": lambda: _settings()}  # noqa: PLW0108 - it is defined below


class _Door(click.Group):
    """Turns hilum's errors into one line on standard error and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HilumError as error:
            click.echo(f"hilum: {error.title}: {error.detail}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=_Door, epilog=_EPILOG, context_settings=_CONTEXT)
@click.version_option(package_name="hilum")
def main() -> None:
    """Classifies chest CT slices: train, evaluate, predict, serve.

    \b
    Examples:
      hilum serve
      hilum predict slice.png --explain heat-map.png
      hilum train --data path/to/dataset --out models/mine
      hilum evaluate --model models/mine --data path/to/dataset
    """


@main.command()
@click.option("--host", help="Address to listen on [HILUM_HOST, 127.0.0.1].")
@click.option("--port", type=int, help="Port to listen on [HILUM_PORT, 8000].")
@click.option("--model", type=click.Path(path_type=Path), help="Bundle to serve, whatever is promoted.")
def serve(host: str | None, port: int | None, model: Path | None) -> None:
    """Start the API and the dashboard.

    Serves the registry's champion, which is the reference model until another is promoted. --model serves that bundle
    instead and follows no promotion.

    \b
    Example:
      hilum serve --port 9000 --model models/mine
    """
    from hilum.web.server import serve as serve_web

    given = {"host": host, "port": port, "model": model, "follow_champion": None if model is None else False}
    serve_web(_settings(**{name: value for name, value in given.items() if value is not None}))


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", type=click.Path(path_type=Path), help="Bundle to use [HILUM_MODEL, the reference model].")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")
@click.option("--explain", type=click.Path(path_type=Path), help="Write the heat map over the slice (one FILE only).")
@click.option("--similar", type=click.IntRange(0, 20), default=0, help="Name so many most similar training slices.")
@click.option("--study", is_flag=True, help="FILE is a folder or zip of one series: say what its slices say together.")
@click.option("--sr", type=click.Path(path_type=Path), help="Write a DICOM SR (one FILE only).")
def predict(
    files: tuple[Path, ...],
    model: Path | None,
    *,
    as_json: bool,
    explain: Path | None,
    similar: int,
    study: bool,
    sr: Path | None,
) -> None:
    """Classify images and DICOM slices.

    \b
    Examples:
      hilum predict slice.png
      hilum predict --json series/*.dcm
      hilum predict slice.png --explain heat-map.png
      hilum predict slice.png --similar 5
      hilum predict --study series.zip --sr report.dcm
    """
    if (explain or study or sr) and len(files) > 1:
        raise click.UsageError("--explain, --study and --sr take one FILE")
    if study and (explain or similar):
        raise click.UsageError("--study goes with --sr and --json only")
    _check_folders(explain, sr)
    predictor = _predictor(model)
    if study:
        sys.exit(predict_study(files[0], predictor, as_json=as_json, report=sr))
    rows: list[dict[str, Any]] = []
    worst = 0
    for file in files:
        try:
            prediction = predictor.predict(_read_input(file), name=file.name, similar=similar)
            rows.append({"file": str(file), **_as_json(prediction)})
            if explain:
                _write_heat_map(prediction, explain)
        except InputRejected as error:
            rows.append({"file": str(file), **_refusal(error)})
            worst = error.exit_code
        if as_json:
            click.echo(json.dumps(rows[-1]))
    if not as_json:
        from hilum.terminal import print_predictions

        print_predictions(rows)
    if sr and not worst:
        write_slice_report(files[0], predictor, sr)
    sys.exit(worst)


@main.command()
@click.option("--data", required=True, help="Folder, zip, manifest or kaggle:OWNER/NAME.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the new bundle.")
@click.option("--arch", default="efficientnet-lite0", show_default=True, help="Or -lite1, -lite2, keras.applications.")
@click.option(
    "--mode", type=click.Choice(["head", "full"]), default="full", show_default=True, help="Learn the head, or all."
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
@click.option("--teachers", type=click.IntRange(0, 10), default=0, help="Learn from so many models fitted first.")
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
    from hilum.dataset.labels import LabelScheme
    from hilum.terminal import TerminalProgress

    with _training_packages():
        from hilum.training.pipeline import TrainingSettings
        from hilum.training.pipeline import train as train_model

    manifest = _dataset(data)
    scheme = LabelScheme.of(manifest.class_names, coarse=dict(map(_coarse_label, coarse)), ignored=ignore)
    others = [_dataset(source) for source in also]
    settings = TrainingSettings(architecture=arch, **options)
    with TerminalProgress() as progress:
        train_model(
            manifest, out, settings, progress, also=others, scheme=scheme, gate_from=gate_from or _gate_source()
        )
    click.echo(f"bundle written to {out}; measure it with: hilum evaluate --model {out} --data {data}")


@main.command()
@click.option("--model", type=click.Path(path_type=Path), help="Bundle to measure [HILUM_MODEL, the reference model].")
@click.option("--data", required=True, help="Folder, zip, manifest or kaggle:OWNER/NAME.")
@click.option("--split", default="test", show_default=True, help="Split to measure on; 'all' takes every image.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for metrics.json and pictures [the bundle].")
@click.option("--coarse", multiple=True, metavar="LABEL=CLASS+…", help="A label that may be any of several classes.")
@click.option("--ignore", multiple=True, metavar="LABEL", help="A label the model has no class for; shown apart.")
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

    with _training_packages():
        from hilum.training.assessment import assess
        from hilum.training.coarse_assessment import is_coarse
        from hilum.training.report import write_assessment

    bundle = _bundle_path(model)
    class_names = open_bundle(bundle).manifest.class_names
    scheme = LabelScheme.of(class_names, coarse=dict(map(_coarse_label, coarse)), ignored=ignore)
    manifest = _dataset(data)
    if is_coarse(manifest, scheme):
        _evaluate_coarse(bundle, manifest, split, scheme, as_json=as_json)
        return
    with TerminalProgress() as progress:
        assessment = assess(bundle, manifest, split, progress, quick=quick)
    folder = write_assessment(assessment, bundle, out)
    if as_json:
        click.echo(json.dumps(assessment.to_dict()))
    else:
        from hilum.terminal import print_assessment

        print_assessment(assessment)
    click.echo(f"written to {folder}", err=True)


@main.command()
@click.argument("data")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for audit.html, audit.json and pictures.")
@click.option("--json", "as_json", is_flag=True, help="Print the audit as JSON instead of text.")
@click.option(
    "--probe/--no-probe",
    default=True,
    show_default=True,
    help="Measure shortcuts and what the findings do to a score (needs the training packages).",
)
def audit(data: str, out: Path | None, *, as_json: bool, probe: bool) -> None:
    """Find copies, leaks, conflicts and shortcuts in a data set, and say what they do to a score.

    \b
    Examples:
      hilum audit path/to/dataset
      hilum audit path/to/dataset --out audit
    """
    from hilum.dataset.audit.auditing import audit as audit_scan
    from hilum.dataset.audit.report import write_report
    from hilum.terminal import TerminalProgress, print_audit

    with TerminalProgress() as progress:
        scan = _scan(data, progress)
        with _training_packages():
            found = audit_scan(scan, with_probe=probe, progress=progress)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        print_audit(found)
    if out:
        click.echo(f"written to {write_report(found, scan.manifest.root, out)}", err=True)


@main.group()
def dataset() -> None:
    """Read labelled data sets."""


@dataset.command("import")
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), help="Manifest to write [HILUM_HOME/datasets/NAME.json].")
@click.option(
    "--groups",
    type=click.Choice(["near-copies", "series", "given"]),
    default="near-copies",
    show_default=True,
    help="What makes a group: near copies, also series named in file names, or only what groups.csv says.",
)
def dataset_import(source: str, out: Path | None, groups: GroupsBy) -> None:
    """Read a folder, a zip or kaggle:OWNER/NAME and write its manifest.

    \b
    Layouts: train|valid|test/<class>/… or <class>/… ; groups.csv (path,group) may name patients.
    Examples:
      hilum dataset import path/to/dataset
      hilum dataset import kaggle:mohamedhanyyy/chest-ctscan-images
    """
    from hilum.terminal import print_dataset

    manifest = _import(source, groups)
    out = out or _settings().home / "datasets" / f"{manifest.source}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    manifest.save(out)
    print_dataset(manifest)
    click.echo(f"manifest written to {out}", err=True)


@main.group()
def gate() -> None:
    """Tell chest CT slices from other pictures."""


@gate.command("fit")
@click.option("--chest", "chest", multiple=True, required=True, help="Chest CT data set; may be given again.")
@click.option("--other", "others", multiple=True, required=True, help="Folder of other pictures, a folder a kind.")
@click.option("--model", type=click.Path(path_type=Path), required=True, help="Bundle that gets the gate.")
def gate_fit(chest: tuple[str, ...], others: tuple[str, ...], model: Path) -> None:
    """Fit a bundle's gate and say how well it does on pictures it was not fitted on.

    \b
    Example:
      hilum gate fit --chest path/to/dataset --other path/to/not-chest-ct --model models/mine
    """
    from hilum.dataset.importer import import_dataset
    from hilum.terminal import TerminalProgress, print_gate_report

    with _training_packages():
        from hilum.training.gate.fit import fit_gate

    slices = [_dataset(source) for source in chest]
    pictures = [import_dataset(Path(source)) for source in others]
    with TerminalProgress() as progress:
        report = fit_gate(slices, pictures, model, progress)
    print_gate_report(report)
    click.echo(f"gate written to {model}")


@gate.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", type=click.Path(path_type=Path), help="Bundle to use [HILUM_MODEL, the reference model].")
def gate_check(files: tuple[Path, ...], model: Path | None) -> None:
    """Say of each file whether the gate takes it for an axial chest CT slice.

    \b
    Example:
      hilum gate check slice.png photo.jpg
    """
    from hilum.imaging.decode import decode
    from hilum.inference.bundle import open_bundle

    loaded = open_bundle(_bundle_path(model)).load_gate(threads=1)
    if loaded is None:
        raise BundleInvalid("the bundle has no gate; add one with `hilum gate fit`")
    worst = 0
    for file in files:
        try:
            verdict = loaded.judge(decode(_read_input(file), name=file.name).pixels)
        except InputRejected as error:
            click.echo(f"{file}: refused, {error.code}: {error.detail}")
            worst = error.exit_code
            continue
        said = "refused" if verdict.is_refused else "unusual" if verdict.is_unusual else "chest CT"
        otherwise = "" if said == "chest CT" else f", looks like {verdict.looks_like}"
        click.echo(f"{file}: {said} ({verdict.score:.3f}){otherwise}")
        worst = InputRejected.exit_code if verdict.is_refused else worst
    sys.exit(worst)


dataset.add_command(dataset_add)
main.add_command(drift)
main.add_command(db)
main.add_command(keys)
main.add_command(audit_log)
main.add_command(replay)
main.add_command(models)
main.add_command(batch)
main.add_command(batches_group)
for command in (retrain, runs, worker):
    main.add_command(command)


@contextmanager
def _training_packages() -> Iterator[None]:
    """Says what to install where only what serving needs is."""
    try:
        yield
    except ModuleNotFoundError as error:
        if str(error.name).startswith("hilum"):
            raise
        raise TrainingFailed(f"the package {error.name!r} is not installed: pip install 'hilum[train]'") from error


def _settings(**given: Any) -> Settings:
    from pydantic import ValidationError

    from hilum.settings import Settings

    try:
        return Settings(**given)
    except ValidationError as error:
        faults = "; ".join(f"HILUM_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise click.UsageError(f"a setting is wrong: {faults}") from error


def _gate_source() -> Path | None:
    """The reference model, whose gate a new bundle inherits; None where there is none to inherit."""
    from hilum.inference.bundle import gate_of
    from hilum.services.reference import reference_bundle

    try:
        return reference_bundle() if gate_of(reference_bundle()) else None
    except BundleInvalid:
        return None


def _bundle_path(model: Path | None) -> Path:
    from hilum.services.reference import reference_bundle

    return model or _settings().model or reference_bundle()


def _predictor(model: Path | None) -> Predictor:
    from hilum.inference.predictor import Predictor

    return Predictor.load(_bundle_path(model))


def _dataset(source: str) -> DatasetManifest:
    from hilum.dataset.manifest import DatasetManifest

    if source.endswith(".json"):
        manifest = DatasetManifest.load(Path(source))
        if not manifest.root.is_dir():
            raise DatasetNotFound(f"{manifest.root}, where {source} says its images lie, is no folder; import it again")
        return manifest
    return _import(source)


def _import(source: str, groups: GroupsBy = "near-copies") -> DatasetManifest:
    from hilum.dataset.importer import import_dataset
    from hilum.dataset.splits import with_test_split
    from hilum.terminal import TerminalProgress

    path, place = _located(source)
    with TerminalProgress() as progress:
        manifest = import_dataset(path, groups=groups, progress=_file_counter(progress, "import"), **place)
    with _training_packages():  # scikit-learn makes the folds
        return with_test_split(manifest)


def _scan(source: str, progress: TerminalProgress) -> Scan:
    """Reads a data set for the audit: as it was delivered, without a split made here."""
    from hilum.dataset.importer import read_dataset
    from hilum.dataset.scan import scan_manifest

    if source.endswith(".json"):
        return scan_manifest(_dataset(source), progress=_file_counter(progress, "read"))
    path, place = _located(source)
    return read_dataset(path, progress=_file_counter(progress, "read"), **place)


def _located(source: str) -> tuple[Path, dict[str, Any]]:
    """Where a data set lies, downloaded if need be; where its zip goes; and its name if not the folder's."""
    from hilum.dataset.kaggle import download

    scheme, _, handle = source.partition(":")
    is_kaggle = scheme == "kaggle" and bool(handle)
    path = download(handle) if is_kaggle else Path(source).absolute()
    home = _settings().home / "datasets" / path.stem if path.is_file() else None
    name = handle.split("/")[1] if is_kaggle else None  # its folder is named after the version
    return path, {"extract_to": home, "source_name": name}


def _file_counter(progress: TerminalProgress, stage: str) -> Callable[[int, int], None]:
    return lambda done, of: progress(stage, done / of, f"{done}/{of} files")


def _evaluate_coarse(
    bundle: Path, manifest: DatasetManifest, split: str, scheme: LabelScheme, *, as_json: bool
) -> None:
    from hilum.terminal import TerminalProgress, print_coarse_assessment
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


def _read_input(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputRejected(f"the file cannot be read: {error.strerror}") from error


def _as_json(prediction: Prediction) -> dict[str, Any]:
    return {
        "predicted_class": prediction.predicted_class,
        "probabilities": prediction.probabilities,
        "cancer_probability": prediction.cancer_probability,
        "decision": prediction.decision,
        "prediction_set": list(prediction.prediction_set),
        "warnings": list(prediction.warnings),
        "model_version": prediction.model_version,
        "training_match": prediction.training_match,
        **({} if prediction.look_alikes is None else {"look_alikes": [asdict(one) for one in prediction.look_alikes]}),
    }


def _check_folders(*files: Path | None) -> None:
    for file in files:
        if file and not file.parent.is_dir():
            raise click.UsageError(f"there is no folder {str(file.parent)!r} to write {file.name!r} into")


def _refusal(error: InputRejected) -> dict[str, Any]:
    reasons = {"reasons": list(error.reasons)} if isinstance(error, NotAChestCt) else {}
    return {"code": error.code, "detail": error.detail, **reasons}


def _write_heat_map(prediction: Prediction, file: Path) -> None:
    from hilum.inference.explain import overlay_png

    file.write_bytes(overlay_png(prediction))
    click.echo(f"heat map written to {file}", err=True)
