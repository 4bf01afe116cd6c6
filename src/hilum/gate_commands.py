"""`hilum gate`: telling chest CT slices from other pictures. Thin like the command line it belongs to."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hilum.command_inputs import bundle_path, dataset_of, read_input, training_packages
from hilum.errors import BundleInvalid, InputRejected


@click.group()
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

    with training_packages():
        from hilum.training.gate.fit import fit_gate

    slices = [dataset_of(source) for source in chest]
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

    loaded = open_bundle(bundle_path(model)).load_gate(threads=1)
    if loaded is None:
        raise BundleInvalid("the bundle has no gate; add one with `hilum gate fit`")
    worst = 0
    for file in files:
        try:
            verdict = loaded.judge(decode(read_input(file), name=file.name).pixels)
        except InputRejected as error:
            click.echo(f"{file}: refused, {error.code}: {error.detail}")
            worst = error.exit_code
            continue
        said = "refused" if verdict.is_refused else "unusual" if verdict.is_unusual else "chest CT"
        otherwise = "" if said == "chest CT" else f", looks like {verdict.looks_like}"
        click.echo(f"{file}: {said} ({verdict.score:.3f}){otherwise}")
        worst = InputRejected.exit_code if verdict.is_refused else worst
    sys.exit(worst)
