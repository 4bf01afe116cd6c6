"""`hilum drift fit`: describe a model's training inputs, for bundles made before training did so itself."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from hilum.errors import BundleInvalid


@click.group()
def drift() -> None:
    """Tell recent inputs from those a model was trained on."""


@drift.command()
@click.option("--model", type=click.Path(path_type=Path), required=True, help="Bundle that is described.")
@click.option("--data", multiple=True, required=True, help="Folder it was trained on; may be given again.")
def fit(model: Path, data: tuple[str, ...]) -> None:
    """Describe the slices a bundle was trained on, found by their hashes, in its inputs.json.

    \b
    Example:
      hilum drift fit --model models/mine --data path/to/dataset
    """
    from hilum.inference.bundle import HISTORY, add_to_bundle
    from hilum.inference.input_reference import INPUTS, InputReference
    from hilum.inference.predictor import Predictor

    predictor = Predictor.load(model, answers_all=True)
    wanted = set(json.loads((model / HISTORY).read_bytes())["trained_on_sha256"])
    statistics, predicted = [], []
    for file in _files(data):
        content = file.read_bytes()
        if (digest := _digest(content)) in wanted:
            wanted.remove(digest)
            found = predictor.predict(content)
            statistics.append(found.statistics)
            predicted.append(found.predicted_class)
    if wanted:
        raise BundleInvalid(f"{len(wanted)} of the slices the model was trained on are not in --data")
    InputReference.of(statistics, predicted).save(model / INPUTS)
    add_to_bundle(model, [model / INPUTS])
    click.echo(f"{len(statistics)} training slices described in {model / INPUTS}")


def _files(folders: Iterable[str]) -> Iterable[Path]:
    for folder in folders:
        yield from (file for file in sorted(Path(folder).rglob("*")) if file.is_file())


def _digest(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()
