"""`hilum dataset` and `hilum audit`: labelled images read, examined and stored. Thin like the command line."""

from __future__ import annotations

import json
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hilum.command_inputs import imported, scan_of, settings_of, training_packages
from hilum.errors import DatasetManifestInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hilum.dataset.importer import GroupsBy
    from hilum.dataset.manifest import DatasetManifest
    from hilum.services.image_reading import IncomingFile
    from hilum.settings import Settings


@click.command()
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
        scan = scan_of(data, progress)
        with training_packages():
            found = audit_scan(scan, with_probe=probe, progress=progress)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        print_audit(found)
    if out:
        click.echo(f"written to {write_report(found, scan.manifest.root, out)}", err=True)


@click.group()
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

    manifest = imported(source, groups)
    out = out or _place_of(manifest, settings_of().home / "datasets")
    out.parent.mkdir(parents=True, exist_ok=True)
    manifest.save(out)
    print_dataset(manifest)
    click.echo(f"manifest written to {out}", err=True)


def _place_of(manifest: DatasetManifest, folder: Path) -> Path:
    """By the data set's name, and by its folder too where another one's manifest has that name already."""
    path = folder / f"{manifest.source}.json"
    try:
        is_others = path.exists() and type(manifest).load(path).root != manifest.root
    except DatasetManifestInvalid:
        return path  # of no use to anybody
    digest = sha256(str(manifest.root).encode()).hexdigest()[:8]
    return folder / f"{manifest.source}-{digest}.json" if is_others else path


@dataset.command("add")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--label", help="Class of every file, whatever its folder.")
@click.option("--group", help="Patient or series of every file; else groups.csv may name them.")
@click.option("--new-classes", is_flag=True, help="Take classes that nobody knows yet.")
@click.option("--gate/--no-gate", default=True, show_default=True, help="Ask the served model's gate about each image.")
@click.option("--model", type=click.Path(path_type=Path), help="Bundle to ask [HILUM_MODEL, the reference model].")
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def dataset_add(
    path: Path,
    *,
    label: str | None,
    group: str | None,
    new_classes: bool,
    gate: bool,
    model: Path | None,
    as_json: bool,
) -> None:
    """Take the labelled images of PATH into the store, from which `hilum retrain` learns.

    train|valid/<class>/ becomes training data, test/<class>/ the test set, which is frozen by the first training run.
    Each image is compared with all others: copies of test images are refused, contradicting labels quarantined.

    \b
    Examples:
      hilum dataset add path/to/dataset
      hilum dataset add path/to/archive.zip
      hilum dataset add slices/ --label adenocarcinoma --group patient-17
    """
    from hilum.cores import usable_cores
    from hilum.services.datasets import open_datasets
    from hilum.services.model import load_model
    from hilum.services.reference import reference_bundle
    from hilum.services.state import StatePlaces, prepare
    from hilum.terminal import TerminalProgress, print_batch

    settings: Settings = click.get_current_context().obj()
    predictor = load_model(model or settings.model or reference_bundle()).predictor if gate else None
    files, names = _listed(path.absolute(), label, group)
    places = StatePlaces(settings.home, settings.database_url, settings.blobs_url)
    prepare(places)
    datasets = open_datasets(places, is_audited=settings.audit_log)
    with closing(datasets), TerminalProgress() as progress:
        batch = datasets.add(
            files,
            source="import",
            predictor=predictor,
            takes_new_classes=new_classes,
            actor="cli",
            workers=usable_cores(),
            progress=lambda done: progress("add", done / len(names), f"{done}/{len(names)} files"),
        )
    if as_json:
        click.echo(json.dumps({"batch_id": str(batch.id), "items": batch.items}))
    else:
        print_batch(batch.items, names)


def _listed(path: Path, label: str | None, group: str | None) -> tuple[Iterator[IncomingFile], list[str]]:
    """The files of a folder or zip, and what each is called, by its index."""
    from hilum.services.incoming_folder import list_folder, read_files
    from hilum.services.incoming_upload import IMPORT_LIMITS, UploadedPart, UploadListing

    if label is None and path.is_file():
        part = UploadedPart(lambda: path.open("rb"), path.stat().st_size)
        listing = UploadListing([part], label=None, group=group, limits=IMPORT_LIMITS)
        return listing.files(), [f"{path.name}/{name}" for name in listing.names]
    listed = list_folder(path, label=label, group=group)
    return read_files(listed), [file.path.relative_to(path.parent).as_posix() for file in listed]
