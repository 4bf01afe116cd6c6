"""A model bundle on disk: opened only when every file's hash and every golden prediction is right."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from hilum.errors import BundleInvalid
from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import preprocess
from hilum.inference.calibration import calibrated_probabilities
from hilum.inference.engines import Engine, OnnxEngine
from hilum.inference.gate import Gate
from hilum.inference.gate_manifest import GateManifest
from hilum.inference.manifest import Manifest
from hilum.inference.neighbours import NEIGHBOURS, Neighbours

MANIFEST, HISTORY, METRICS = "manifest.json", "training.json", "metrics.json"
GOLDEN_TOLERANCE = 0.02
"""Int8 kernels round differently from one processor to the next; a wrong model is off by far more."""


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files are what its manifest says.

    Attributes:
        directory: where its files lie.
        manifest: what it says of itself.
    """

    directory: Path
    manifest: Manifest

    def load_engine(self, *, threads: int) -> Engine:
        """Loads the first graph that answers its golden phantoms as when the bundle was made.

        Raises:
            BundleInvalid: none does.
        """
        refusals = []
        for file in self.manifest.engine_files:
            try:
                engine = OnnxEngine(self.directory / file, threads=threads)
                self._check_golden(engine, file)
            except BundleInvalid as refusal:
                refusals.append(refusal.detail)
            else:
                return engine
        raise BundleInvalid("; ".join(refusals))

    def load_gate(self, *, threads: int) -> Gate | None:
        """Loads what refuses pictures that are no chest CT; None where the bundle has none.

        Raises:
            BundleInvalid: it is damaged, or does not judge its golden phantoms as when it was made.
        """
        settings = self.manifest.gate
        return None if settings is None else Gate(self.directory / settings.file, settings, threads=threads)

    def load_neighbours(self, engine: Engine) -> Neighbours | None:
        """Loads the list of training slices; None where the bundle has none.

        Raises:
            BundleInvalid: it is damaged, or its features are not those that `engine` gives.
        """
        if NEIGHBOURS not in self.manifest.files:
            return None
        neighbours = Neighbours.load(self.directory / NEIGHBOURS)
        side = self.manifest.preprocessing.side
        features = engine.run(np.zeros((1, side, side, 1), np.float32)).features
        given = 0 if features is None else features.shape[1]
        if given != neighbours.n_features:
            raise BundleInvalid(
                f"{NEIGHBOURS} of {self.manifest.model_version} compares {neighbours.n_features} features and its "
                f"graph gives {given}; restore the bundle from its source"
            )
        return neighbours

    def _check_golden(self, engine: Engine, file: str) -> None:
        manifest = self.manifest
        for golden in manifest.golden[file]:
            tensor = preprocess(draw_phantom(golden.phantom_seed), manifest.preprocessing)
            try:
                output = engine.run(tensor[np.newaxis])
                got = calibrated_probabilities(output.logits, manifest.temperature)[0]
            except Exception as error:
                raise BundleInvalid(f"{file} of {manifest.model_version} cannot be run: {error}") from error
            if got.size != len(manifest.class_names):
                raise BundleInvalid(
                    f"{file} of {manifest.model_version} has {got.size} outputs, not one for each class"
                )
            off = np.abs(got - golden.probabilities).max()
            if not off <= GOLDEN_TOLERANCE:  # also refuses NaN
                raise BundleInvalid(
                    f"{file} of {manifest.model_version} answers golden phantom {golden.phantom_seed} with a "
                    f"probability {off:.3f} away from what it was released with; restore the bundle from its source"
                )


def file_digest(path: Path) -> str:
    """Sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_bundle(directory: Path) -> Bundle:
    """Reads the manifest and verifies the hash of every file it lists.

    Raises:
        BundleInvalid: the manifest is missing or malformed, or a file is missing, altered or a link.
    """
    manifest = read_manifest(directory)
    verify_files(directory, manifest)
    return Bundle(directory, manifest)


def read_manifest(directory: Path) -> Manifest:
    """Reads what a bundle says of itself; its files are not looked at.

    Raises:
        BundleInvalid: the manifest is missing or malformed.
    """
    path = directory / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise BundleInvalid(f"there is no model bundle in {str(directory)!r}: it has no {MANIFEST}") from error
    except OSError as error:
        raise BundleInvalid(f"{MANIFEST} of {directory.name!r} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the whole'}: {e['msg']}" for e in error.errors())
        raise BundleInvalid(f"{MANIFEST} of {directory.name!r} is malformed: {faults}") from error
    for file in manifest.engine_files:
        if file not in manifest.files or not manifest.golden.get(file):
            raise BundleInvalid(f"{MANIFEST} lists no hash or no golden prediction for its graph {file!r}")
    if manifest.gate is not None and manifest.gate.file not in manifest.files:
        raise BundleInvalid(f"{MANIFEST} lists no hash for its gate {manifest.gate.file!r}")
    return manifest


def gate_of(directory: Path) -> GateManifest | None:
    """What a bundle says of its gate, None where it has none; of its files only the gate's is verified.

    Raises:
        BundleInvalid: the manifest cannot be read, or the gate's file is not what it says.
    """
    manifest = read_manifest(directory)
    if manifest.gate is None:
        return None
    name = manifest.gate.file
    verify_files(directory, manifest.model_copy(update={"files": {name: manifest.files[name]}}))
    return manifest.gate


def copy_gate(from_bundle: Path, into_folder: Path) -> GateManifest | None:
    """Copies a bundle's gate into the folder of a bundle being made.

    Returns:
        The section for the new manifest, which must list the file's hash too; None where there is no gate.

    Raises:
        BundleInvalid: as `gate_of`.
    """
    gate = gate_of(from_bundle)
    if gate is not None:
        shutil.copyfile(from_bundle / gate.file, into_folder / gate.file)
    return gate


def add_to_bundle(directory: Path, files: Sequence[Path], *, gate: GateManifest | None = None) -> None:
    """Lists `files`, which lie in the bundle's folder, in its manifest, and describes its gate where one is given.

    Raises:
        BundleInvalid: another file of the bundle is not what the manifest says.
    """
    names = {file.name for file in files}
    path = directory / MANIFEST
    listed = Manifest.model_validate_json(path.read_bytes())
    kept = {name: digest for name, digest in listed.files.items() if name not in names}
    stripped = listed.model_copy(update={"files": kept})
    verify_files(directory, stripped)
    added = {file.name: file_digest(file) for file in files}
    partial = path.with_suffix(".partial")
    changes: dict[str, object] = {"files": dict(sorted({**kept, **added}.items()))}
    renewed = stripped.model_copy(update=changes if gate is None else {**changes, "gate": gate})
    partial.write_text(renewed.model_dump_json(indent=2) + "\n")
    partial.replace(path)


def verify_files(directory: Path, manifest: Manifest) -> None:
    """Compares the hash of every file the manifest lists.

    Raises:
        BundleInvalid: a file is missing, altered, a link or outside the folder.
    """
    for name, digest in manifest.files.items():
        file = directory / name
        if Path(name).name != name or file.is_symlink() or not file.is_file():
            raise BundleInvalid(f"{name!r} of bundle {directory.name!r} is missing or not a plain file")
        if file_digest(file) != digest:
            raise BundleInvalid(f"{name!r} of bundle {directory.name!r} is damaged: its sha256 is not the manifest's")
