"""Runs PostgreSQL's own `pg_dump` and `pg_restore`. Knows how to call them, not what is in the database."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import URL

from hilum.errors import BackupFailed

_INSTALLED = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs of each version."""


def find_tool(name: str) -> Path:
    """The program `name`, of the newest PostgreSQL installed.

    Raises:
        BackupFailed: it is not installed.
    """
    if found := shutil.which(name):
        return Path(found)
    newest = sorted(_INSTALLED.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    if not newest:
        raise BackupFailed(f"{name} is not installed; on Debian and Ubuntu: apt-get install postgresql-client")
    return newest[-1]


def dump(url: URL, file: Path) -> None:
    """Writes the database into `file` in PostgreSQL's custom format.

    Raises:
        BackupFailed: `pg_dump` is not installed or failed.
    """
    _run([str(find_tool("pg_dump")), "--format=custom", "--no-owner", "--no-privileges", f"--file={file}"], url)


def restore(url: URL, file: Path) -> None:
    """Overwrites the database with `file`, wholly or not at all.

    Raises:
        BackupFailed: `pg_restore` is not installed or failed.
    """
    options = ["--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    _run([str(find_tool("pg_restore")), *options, f"--dbname={url.database}", str(file)], url)


def _run(command: Sequence[str], url: URL) -> None:
    """The address travels in the environment: a command line can be read by every user of the machine."""
    query = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    given = {
        "PGHOST": url.host or query.get("host"),
        "PGPORT": str(url.port) if url.port else None,
        "PGUSER": url.username,
        "PGPASSWORD": str(url.password) if url.password is not None else None,
        "PGDATABASE": url.database,
    }
    environment = os.environ | {name: value for name, value in given.items() if value}
    ended = subprocess.run(list(command), env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        words = (ended.stderr.strip() or "no reason given").splitlines()[0][:300]
        raise BackupFailed(f"{Path(command[0]).name} failed: {words}")
