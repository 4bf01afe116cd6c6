"""The files of bundles on their way into the store and back, verified both times. Knows no database and no alias."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.errors import BlobCorrupt, BlobMissing, BundleInvalid
from hilum.inference.bundle import MANIFEST, METRICS, file_digest, open_bundle
from hilum.inference.manifest import Manifest
from hilum.services.model import parsed_metrics
from hilum.storage.blobs import Blobs

BUNDLES = "bundles"
"""The kind under which files of bundles are kept."""

_CARD = "card.md"


@dataclass(frozen=True)
class BundleContents:
    """A bundle in memory.

    Attributes:
        manifest: what it says of itself.
        files: the bytes of each file, the manifest's too.
        digests: their sha256.
        metrics: what was measured of it; None where nothing was.
        card: the model card in Markdown; None where there is none.
    """

    manifest: Manifest
    files: dict[str, bytes]
    digests: dict[str, str]
    metrics: dict[str, Any] | None
    card: str | None


def read_contents(directory: Path, version: str | None = None) -> BundleContents:
    """Reads a bundle and verifies every file.

    Args:
        directory: the bundle.
        version: what it shall call itself from now on; None: as it does.

    Raises:
        BundleInvalid: it is damaged.
    """
    manifest = open_bundle(directory).manifest
    try:
        files = {name: (directory / name).read_bytes() for name in (MANIFEST, *manifest.files)}
    except OSError as error:
        raise BundleInvalid(f"the bundle {directory.name!r} cannot be read: {error.strerror}") from error
    if version is not None:
        manifest = manifest.model_copy(update={"model_version": version})
        files[MANIFEST] = manifest.model_dump_json(indent=2).encode()
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    changed = [name for name, digest in manifest.files.items() if digests[name] != digest]
    if changed:
        raise BundleInvalid(f"{', '.join(changed)} of {directory.name!r} changed while it was read")
    metrics = parsed_metrics(files[METRICS], directory.name) if METRICS in files else None
    card = files[_CARD].decode(errors="replace") if _CARD in files else None
    return BundleContents(manifest, files, digests, metrics, card)


class BundleStore:
    """Keeps bundles by the sha256 of their files, and fetches them into a folder."""

    def __init__(self, blobs: Blobs, folder: Path) -> None:
        """Takes where files are kept, and the folder that gets a folder for each bundle fetched."""
        self._blobs = blobs
        self._folder = folder

    def keep(self, contents: BundleContents) -> None:
        """Keeps every file; one that is kept already is renewed.

        Raises:
            BlobStoreUnavailable: a file could not be kept.
        """
        for name, data in contents.files.items():
            self._blobs.put_as(contents.digests[name], data)

    def fetch(self, version: str, files: Mapping[str, str]) -> Path:
        """A folder with the files of a bundle, each verified; there whole or not at all.

        Args:
            version: names the folder.
            files: the sha256 of each.

        Raises:
            BundleInvalid: a file is lost or damaged in the store, or the folder cannot be written.
            BlobStoreUnavailable: the store does not answer.
        """
        folder = self._folder / version
        if _is_whole(folder, files):
            return folder
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=self._folder) as scratch:
                whole = Path(scratch) / "whole"
                whole.mkdir()
                for name, digest in files.items():
                    self._fetch_file(whole, name, digest)
                if not _is_whole(folder, files):  # another process may have fetched it meanwhile
                    _put_in_place(whole, folder, Path(scratch) / "damaged")
        except OSError as error:
            raise BundleInvalid(f"{version} cannot be written into {self._folder.name!r}: {error.strerror}") from error
        if not _is_whole(folder, files):
            raise BundleInvalid(f"{version} in {self._folder.name!r} changes while it is fetched")
        return folder

    def _fetch_file(self, folder: Path, name: str, digest: str) -> None:
        if Path(name).name != name or name.startswith("."):
            raise BundleInvalid(f"{name[:80]!r} is no plain file name")
        try:
            (folder / name).write_bytes(self._blobs.get(digest))
        except (BlobMissing, BlobCorrupt) as error:
            raise BundleInvalid(f"{name!r} is lost or damaged in the store: {error.detail}") from error


def _is_whole(folder: Path, files: Mapping[str, str]) -> bool:
    """Whether a folder holds plain files of these hashes."""
    if not folder.is_dir() or folder.is_symlink():
        return False
    paths = {folder / name: digest for name, digest in files.items()}
    are_plain = all(path.is_file() and not path.is_symlink() for path in paths)
    return are_plain and all(file_digest(path) == digest for path, digest in paths.items())


def _put_in_place(whole: Path, folder: Path, damaged: Path) -> None:
    """Renames a fetched folder to its name; what is there is damaged."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        folder.rename(damaged)
    try:
        whole.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(whole)
