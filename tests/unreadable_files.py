"""Files that the system does not let one read, also where tests run as root."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest


def refuse_to_read(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Lets no file called `name` be read whole from here on."""
    read = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
