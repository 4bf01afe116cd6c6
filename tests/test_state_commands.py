"""`hilum db` as a person uses it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hilum.cli import main
from hilum.errors import DatabaseOutdated, StorageInvalid
from hilum.services.state import StatePlaces, is_prepared, prepare
from hilum.storage.revision import REVISION
from hilum.storage.schema import current_revision, downgrade, upgrade


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own."""
    for name in ("HILUM_DATABASE_URL", "HILUM_BLOBS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def hilum(*arguments: object) -> Result:
    """Runs `hilum db` with `arguments`."""
    result = CliRunner().invoke(main, ["db", *(str(argument) for argument in arguments)], prog_name="hilum")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_up_down_and_how_it_stands(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_DATABASE_URL", database_url)

    assert hilum("status").exit_code == 7
    assert hilum("upgrade").output == f"the database has revision {REVISION}\n"
    status = hilum("status")
    assert (status.exit_code, f"revision  {REVISION}, needed {REVISION}" in status.output) == (0, True)
    assert "the database has revision none" in hilum("downgrade", "base").output


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_DATABASE_URL", "postgresql://me:s3cret@127.0.0.1:1/hilum")
    result = hilum("status")

    assert result.exit_code == 7
    assert "s3cret" not in result.output
    assert "The database cannot be used" in result.output


def test_backup_and_restore(home: Path, tmp_path: Path) -> None:
    hilum("upgrade")
    assert "sqlite at revision" in hilum("backup", tmp_path / "hilum.tar").output
    assert hilum("backup", tmp_path / "hilum.tar").exit_code == 7
    (home / "hilum.db").unlink()
    assert hilum("restore", tmp_path / "hilum.tar").output.startswith("restored sqlite")
    assert hilum("restore", tmp_path / "none.tar").exit_code == 7
    assert hilum("backup", tmp_path / "no" / "hilum.tar").exit_code == 2


def test_serving_migrates_sqlite_by_itself_after_a_copy(home: Path) -> None:
    places = StatePlaces(home)
    assert not is_prepared(places)
    prepare(places)
    assert is_prepared(places)
    assert list(home.glob("*.bak")) == []
    assert home.stat().st_mode & 0o077 == 0

    database = places.open_database()
    downgrade(database, "base")
    with database.writing() as connection:
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0000')")
    database.close()
    with pytest.raises(DatabaseOutdated):
        prepare(places)
    assert len(list(home.glob("hilum.db.0000-*.bak"))) == 1


def test_serving_never_migrates_postgresql(database_url: str, home: Path) -> None:
    places = StatePlaces(home, database_url)
    if database_url.startswith("sqlite"):
        prepare(places)
    else:
        with pytest.raises(DatabaseOutdated, match="hilum db upgrade"):
            prepare(places)
        with closing(places.open_database()) as database:
            upgrade(database)
        prepare(places)
    with closing(places.open_database()) as database:
        assert current_revision(database) == REVISION


def test_serving_starts_without_a_postgresql_that_does_not_answer(home: Path) -> None:
    prepare(StatePlaces(home, "postgresql://hilum@127.0.0.1:1/none"))


def test_serving_refuses_a_home_it_cannot_make(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageInvalid, match="HILUM_HOME"):
        prepare(StatePlaces(tmp_path / "file" / "home"))


def test_serving_refuses_a_database_of_a_newer_hilum(home: Path) -> None:
    places = StatePlaces(home)
    prepare(places)
    database = places.open_database()
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    with pytest.raises(DatabaseOutdated, match="newer"):
        prepare(places)
