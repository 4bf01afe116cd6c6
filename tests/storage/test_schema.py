"""Migrations lead up, down and to the tables the code knows, on both databases, also from a wheel."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from storage_samples import keep, prediction

from hilum.errors import DatabaseOutdated, DatabaseUnavailable
from hilum.storage import schema
from hilum.storage.database import Database, sqlite_url
from hilum.storage.metadata import METADATA
from hilum.storage.predictions import find
from hilum.storage.revision import REVISION, create_sqlite, sqlite_revision

ROOT = Path(__file__).parents[2]


def test_the_newest_migration_is_the_one_serving_asks_for() -> None:
    script = ScriptDirectory(str(ROOT / "src/hilum/storage/migrations"))

    assert script.get_heads() == [REVISION]


def test_migrations_make_the_tables_the_code_knows(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        names = inspect(connection)
        for table in METADATA.sorted_tables:
            assert names.get_pk_constraint(table.name)["name"] == f"pk_{table.name}"
            found = {key["name"] for key in names.get_foreign_keys(table.name)}
            assert found == {key.name for key in table.foreign_key_constraints}


def test_down_and_up_again(empty_database: Database) -> None:
    database = empty_database
    assert schema.current_revision(database) is None
    assert schema.upgrade(database) == REVISION
    assert schema.upgrade(database) == REVISION
    keep(database, prediction(1))
    assert schema.downgrade(database, "base") is None
    with database.reading() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    assert schema.upgrade(database) == REVISION
    with database.reading() as connection:
        assert find(connection, prediction(1).id) is None


def test_a_new_sqlite_file_is_what_the_migrations_make(tmp_path: Path) -> None:
    migrated = Database(sqlite_url(tmp_path / "migrated.db"))
    schema.upgrade(migrated)
    migrated.close()
    create_sqlite(tmp_path / "new.db")
    assert contents(tmp_path / "new.db") == contents(tmp_path / "migrated.db")
    assert sqlite_revision(tmp_path / "new.db") == REVISION


def contents(file: Path) -> list[str]:
    """Every statement that makes the database again, rows included."""
    with closing(sqlite3.connect(file)) as connection:
        return sorted(connection.iterdump())


def test_a_database_that_is_there_already_stays(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "hilum.db"))
    create_sqlite(database.file)
    keep(database, prediction(1))
    create_sqlite(database.file)
    with database.reading() as connection:
        assert find(connection, prediction(1).id) is not None
    database.close()


def test_a_database_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="missing"):
        create_sqlite(tmp_path / "missing" / "missing.db")


def test_an_outdated_database_is_refused_with_the_command_to_run(empty_database: Database) -> None:
    with pytest.raises(DatabaseOutdated, match="hilum db upgrade"):
        schema.require_current(empty_database)
    schema.upgrade(empty_database)
    schema.require_current(empty_database)


def test_a_database_of_a_newer_hilum_is_refused(database: Database) -> None:
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseOutdated, match="newer"):
        schema.require_current(database)


def test_an_unknown_revision_is_refused(database: Database) -> None:
    with pytest.raises(DatabaseOutdated, match="no way"):
        schema.downgrade(database, "nonsense")


def test_the_wheel_carries_the_migrations(tmp_path: Path) -> None:
    code = f"import hatchling.build; print(hatchling.build.build_wheel({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)

    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    migrations = ROOT / "src/hilum/storage/migrations"
    wanted = {str(path.relative_to(ROOT / "src")) for path in migrations.rglob("*.py")}
    assert len(wanted) >= 4
    assert wanted | {"hilum/storage/sqlite_schema.sql"} <= packed
