"""Writes what all migrations together make of an empty SQLite file, so that a new server need not run them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from hilum.storage import schema
from hilum.storage.database import Database, sqlite_url

TARGET = Path(schema.__file__).with_name("sqlite_schema.sql")
_TRANSACTION = {"BEGIN TRANSACTION;", "COMMIT;"}


def main() -> None:
    """Migrates an empty file and writes its statements."""
    with TemporaryDirectory() as folder:
        database = Database(sqlite_url(Path(folder) / "new.db"))
        schema.upgrade(database)
        database.close()
        with closing(sqlite3.connect(database.file)) as connection:
            statements = [statement for statement in connection.iterdump() if statement not in _TRANSACTION]
    TARGET.write_text("\n".join(statements) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
