"""Which model served last on this machine: it serves again where the database does not answer at the next start."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from hilum.services.registry import is_version

log = logging.getLogger(__name__)


class LastServed:
    """A file beside the folders of the bundles that were fetched."""

    def __init__(self, folder: Path) -> None:
        """Takes the folder with the fetched bundles."""
        self._folder = folder
        self._file = folder / "served"

    def note(self, version: str) -> None:
        """Keeps which version serves; where that cannot be written, the next start only knows less."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self._file.with_suffix(f".{os.getpid()}")
            draft.write_text(version)
            draft.replace(self._file)
        except OSError as error:
            log.warning("which model serves could not be noted", extra={"reason": error.strerror})

    def place(self) -> tuple[str, Path] | None:
        """Version and folder of what served last, where it was fetched into one; None where that is not known."""
        try:
            version = self._file.read_text()
        except (OSError, ValueError):
            return None
        folder = self._folder / version
        return (version, folder) if is_version(version) and folder.is_dir() else None
