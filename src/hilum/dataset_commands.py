"""`hilum dataset add`: labelled images into the store. Thin like the command line it belongs to."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hilum.settings import Settings


@click.command("add")
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
      hilum dataset add slices/ --label adenocarcinoma --group patient-17
    """
    from hilum.dataset.scan import usable_cores
    from hilum.services.datasets import open_datasets
    from hilum.services.incoming_folder import list_folder, read_files
    from hilum.services.model import load_model
    from hilum.services.reference import reference_bundle
    from hilum.services.state import StatePlaces, prepare
    from hilum.terminal import TerminalProgress, print_batch

    settings: Settings = click.get_current_context().obj()
    files = list_folder(path.absolute(), label=label, group=group)
    predictor = load_model(model or settings.model or reference_bundle()).predictor if gate else None
    places = StatePlaces(settings.home, settings.database_url, settings.blobs_url)
    prepare(places)
    datasets = open_datasets(places, is_audited=settings.audit_log)
    with closing(datasets), TerminalProgress() as progress:
        batch = datasets.add(
            read_files(files),
            source="import",
            predictor=predictor,
            takes_new_classes=new_classes,
            actor="cli",
            workers=usable_cores(),
            progress=lambda done: progress("add", done / len(files), f"{done}/{len(files)} files"),
        )
    if as_json:
        click.echo(json.dumps({"batch_id": str(batch.id), "items": batch.items}))
    else:
        print_batch(batch.items, [file.path.relative_to(path.absolute().parent).as_posix() for file in files])
