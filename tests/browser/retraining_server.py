"""A server that really trains: the reference model as champion, without its gate, since what it is taught is drawn."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labelled_samples import drawn_png
from server_process import RunningServer, running_server
from tiny_bundle import CLASS_NAMES

_REFERENCE = Path(__file__).parents[2] / "models" / "reference"


def labelled_zip(*, train: int, test: int, first_seed: int = 500) -> bytes:
    """A zip with a folder a class in two splits, so many drawn slices of each of the four classes."""
    packed = io.BytesIO()
    seed = first_seed
    with zipfile.ZipFile(packed, "w") as archive:
        for split, count in (("test", test), ("train", train)):
            for label, name in enumerate(CLASS_NAMES):
                for _ in range(count):
                    seed += 1
                    archive.writestr(f"{split}/{name}/{seed}.png", drawn_png(seed, label))
    return packed.getvalue()


def _trusting(bundle: Path, folder: Path) -> Path:
    """A copy of a bundle that takes every picture for a chest CT, and is never so sure that it doubts a label."""
    shutil.copytree(bundle, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    gate = manifest.pop("gate")["file"]
    del manifest["files"][gate]
    manifest["confident_above"] = 1.0
    (folder / gate).unlink()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@contextmanager
def retraining_server(folder: Path) -> Iterator[RunningServer]:
    """Serves with a worker and a state of its own, until the block ends."""
    with running_server(_trusting(_REFERENCE, folder / "champion"), folder / "server.log") as server:
        yield server
