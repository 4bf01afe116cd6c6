"""Counts the labels of the official test set that a model doubts: the true ones, and the same flipped at random.

    python -m bench.label_doubt

Each content counts once, as the audit of an upload has it. What the model's gate refuses is left out, since it would
wait for a person whatever its label. Images are read as uploads are, and the rule is the one that uploads meet
(docs/datasets.md). A flipped label is another class drawn at random.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import machine
from bench.figures import report, table
from hilum.dataset.importer import import_dataset
from hilum.evaluation import Figure, share_figure
from hilum.services.image_reading import ImageReader, IncomingFile, ModelAnswer
from hilum.services.intake import is_doubted
from hilum.services.model import load_model
from hilum.services.reference import reference_bundle


@dataclass(frozen=True)
class Said:
    """What the model says of an image whose class is known."""

    class_name: str
    answer: ModelAnswer


@dataclass(frozen=True)
class Doubts:
    """How many labels are doubted of the images that the gate lets through.

    Attributes:
        n: images.
        true: of their own labels.
        flipped: of the labels drawn at random.
    """

    n: int
    true: int
    flipped: int


def files_of(data: Path, classes: Sequence[str]) -> list[IncomingFile]:
    """The test images of the reference data set, each content once, in the order of their paths.

    Raises:
        SystemExit: one has a class that the model does not know.
    """
    manifest = import_dataset(data / "chest-ct-scan-images")
    if foreign := set(manifest.class_names) - set(classes):
        raise SystemExit(f"the model does not know {', '.join(sorted(foreign))}")
    return [
        IncomingFile(index, manifest.path_of(one).read_bytes(), one.class_name)
        for index, one in enumerate(manifest.trainable_records({"test"}))
    ]


def ask(reader: ImageReader, files: Iterable[IncomingFile]) -> list[Said]:
    """What the model says of each image that its gate lets through."""
    read = ((file.class_name, image.answer) for file, image in reader.read_all(files, workers=machine.usable_cores()))
    return [Said(name, answer) for name, answer in read if name is not None and answer is not None]


def count_doubts(said: Sequence[Said], seed: int) -> Doubts:
    """Counts what the model doubts of true labels, and of labels flipped with a seed."""
    rng = np.random.default_rng(seed)
    flipped = [str(rng.choice([name for name in one.answer.probabilities if name != one.class_name])) for one in said]
    return Doubts(
        n=len(said),
        true=sum(is_doubted(one.answer, one.class_name) for one in said),
        flipped=sum(is_doubted(one.answer, name) for one, name in zip(said, flipped, strict=True)),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Asks the model, prints a table and writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="bundle that is asked; by default the reference model")
    parser.add_argument("--seed", type=int, default=0, help="of the flips")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    about = machine.description()
    model = load_model(given.model or reference_bundle())
    files = files_of(machine.data_folder(), model.predictor.manifest.class_names)
    found = count_doubts(ask(ImageReader(model.predictor), files), given.seed)
    labels = {
        "true": share_figure(found.true, found.n),
        f"flipped, seed {given.seed}": share_figure(found.flipped, found.n),
    }
    rows = [
        _row(name, count, figure)
        for (name, figure), count in zip(labels.items(), (found.true, found.flipped), strict=True)
    ]
    shown = table(("labels", "images", "doubted", "share", "95 % interval"), rows)
    told = f"{model.version}; {len(files)} distinct images, of which the gate refuses {len(files) - found.n}"
    results = {
        "model": model.version,
        "distinct": len(files),
        "seed": given.seed,
        "n": found.n,
        "true": found.true,
        "flipped": found.flipped,
    }
    report("label-doubt", about, results, f"{told}\n\n{shown}", given.out)
    return 0


def _row(labels: str, count: int, figure: Figure) -> tuple[object, ...]:
    share, low, high = (f"{100 * (value or 0):.1f}" for value in (figure.value, figure.low, figure.high))
    return labels, figure.n, count, f"{share} %", f"{low} – {high} %"


if __name__ == "__main__":
    sys.exit(main())
