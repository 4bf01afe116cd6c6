"""What commands take: settings, bundles, data sets and files, as options name them. Prints progress only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hilum.errors import DatasetNotFound, InputRejected, TrainingFailed

if TYPE_CHECKING:
    from hilum.dataset.importer import GroupsBy
    from hilum.dataset.manifest import DatasetManifest
    from hilum.dataset.scan import Scan
    from hilum.inference.predictor import Predictor
    from hilum.settings import Settings
    from hilum.terminal import TerminalProgress


@contextmanager
def training_packages() -> Iterator[None]:
    """Says what to install where only what serving needs is, and keeps TensorFlow's log off the terminal."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        yield
    except ModuleNotFoundError as error:
        if str(error.name).startswith("hilum"):
            raise
        raise TrainingFailed(
            f"the package {error.name!r} is not installed: run `make install-train` in hilum's checkout"
        ) from error


def settings_of(**given: Any) -> Settings:
    """The settings of the environment and, before them, `given`.

    Raises:
        click.UsageError: a setting is wrong.
    """
    from pydantic import ValidationError

    from hilum.settings import Settings

    _tell_misspelt(tuple(sorted(os.environ)))
    try:
        return Settings(**given)
    except ValidationError as error:
        faults = "; ".join(
            f"HILUM_{str(e['loc'][0]).upper()}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()
        )
        raise click.UsageError(f"a setting is wrong: {faults}") from error


@cache
def _tell_misspelt(names: tuple[str, ...]) -> None:
    """Once: a setting that is not heeded may be one that was to protect somebody."""
    from hilum.settings import misspelt

    for name, meant in misspelt(names).items():
        click.echo(f"hilum: {name} is no setting and is not heeded; {meant} is one", err=True)


def bundle_path(model: Path | None) -> Path:
    """The folder of the bundle an option names, else of the settings, else the reference model."""
    from hilum.services.reference import reference_bundle

    return model or settings_of().model or reference_bundle()


def predictor_of(model: Path | None) -> Predictor:
    """The bundle an option names, loaded.

    Raises:
        BundleInvalid: it must not be served.
    """
    from hilum.inference.predictor import Predictor

    return Predictor.load(bundle_path(model))


def dataset_of(source: str) -> DatasetManifest:
    """A data set by its folder, zip, manifest or kaggle:OWNER/NAME.

    Raises:
        DatasetInvalid: it cannot be read.
    """
    from hilum.dataset.manifest import DatasetManifest

    if source.endswith(".json"):
        manifest = DatasetManifest.load(Path(source))
        if not manifest.root.is_dir():
            raise DatasetNotFound(f"{manifest.root}, where {source} says its images lie, is no folder; import it again")
        return manifest
    return imported(source)


def imported(source: str, groups: GroupsBy = "near-copies") -> DatasetManifest:
    """A folder, zip or kaggle:OWNER/NAME, read anew, with a test split.

    Raises:
        DatasetInvalid: it cannot be read.
    """
    from hilum.dataset.importer import import_dataset
    from hilum.dataset.splits import with_test_split
    from hilum.terminal import TerminalProgress

    path, place = _located(source)
    with TerminalProgress() as progress:
        manifest = import_dataset(path, groups=groups, progress=_file_counter(progress, "import"), **place)
    with training_packages():  # scikit-learn makes the folds
        return with_test_split(manifest)


def scan_of(source: str, progress: TerminalProgress) -> Scan:
    """Reads a data set for the audit: as it was delivered, without a split made here."""
    from hilum.dataset.importer import read_dataset
    from hilum.dataset.scan import scan_manifest

    if source.endswith(".json"):
        return scan_manifest(dataset_of(source), progress=_file_counter(progress, "read"))
    path, place = _located(source)
    return read_dataset(path, progress=_file_counter(progress, "read"), **place)


def read_input(file: Path) -> bytes:
    """A file's bytes.

    Raises:
        InputRejected: it cannot be read.
    """
    try:
        return file.read_bytes()
    except IsADirectoryError as error:
        raise InputRejected("it is a directory: --study reads one as a series, `hilum batch` scores one") from error
    except OSError as error:
        raise InputRejected(f"the file cannot be read: {error.strerror}") from error


def _located(source: str) -> tuple[Path, dict[str, Any]]:
    """Where a data set lies, downloaded if need be; where its zip goes; and its name if not the folder's."""
    from hilum.dataset.kaggle import download

    scheme, _, handle = source.partition(":")
    is_kaggle = scheme == "kaggle" and bool(handle)
    path = download(handle) if is_kaggle else Path(source).absolute()
    home = settings_of().home / "datasets" if path.is_file() else None
    name = handle.split("/")[1] if is_kaggle else None  # its folder is named after the version
    return path, {"extract_within": home, "source_name": name}


def _file_counter(progress: TerminalProgress, stage: str) -> Callable[[int, int], None]:
    return lambda done, of: progress(stage, done / of, f"{done}/{of} files")
