"""`hilum db` as a person uses it."""

from __future__ import annotations

import hashlib
import uuid
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from canaries import CANARY, CANARY_FILES, canary_dicom
from dicom_files import dicom
from hilum.cli import main
from hilum.errors import DatabaseOutdated, StorageInvalid
from hilum.imaging.decode import decode
from hilum.services.state import StatePlaces, is_prepared, prepare
from hilum.storage import predictions
from hilum.storage.blobs import Blobs
from hilum.storage.database import Database
from hilum.storage.predictions import PredictionFilter, StoredPrediction
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


def _keep_as_sent(database_url: str, blobs: Blobs, *files: bytes) -> None:
    """Predictions of files that are kept as they were sent, as before revision 0007, two of each."""
    database = Database(database_url)
    upgrade(database)
    with database.writing() as connection:
        predictions.add_provenance(connection, "a" * 64, {})
        for data in files:
            rows = [
                StoredPrediction(
                    uuid.uuid4(),
                    datetime.now(UTC),
                    blobs.put(data),
                    True,
                    "normal",
                    "review",
                    "tiny",
                    1.0,
                    {},
                    "a" * 64,
                )
                for _ in range(2)
            ]
            predictions.add(connection, rows)
    database.close()


def test_images_kept_as_they_were_sent_become_copies_of_their_pixels(
    database_url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILUM_DATABASE_URL", database_url)
    blobs = StatePlaces(home, database_url).open_blobs()
    named = [make() for make in CANARY_FILES.values()]
    burned_in = canary_dicom({0x00280301: ("CS", "YES")})
    _keep_as_sent(database_url, blobs, *named, burned_in, dicom()[:-100])
    lost = blobs.put(named[0] + b"?")
    _keep_as_sent(database_url, blobs, named[0] + b"?")
    blobs.delete(lost)
    before = {hashlib.sha256(data).hexdigest(): decode(data).pixels for data in named}

    said = hilum("rewrite-images")

    assert said.output == f"{len(named)} images are kept as copies of their pixels, 3 are kept no more\n"
    files = [path.read_bytes() for path in (home / "blobs").rglob("*") if path.is_file()]
    assert files
    assert not [data for data in files if CANARY[:9].encode() in data]
    with closing(Database(database_url)) as database, database.reading() as connection:
        rows = predictions.page(connection, PredictionFilter(), before=None, limit=1000)
    assert len(rows) == 2 * (len(named) + 3)
    for row in rows:
        assert row.is_image_kept is (row.image_sha256 in before)
        if row.is_image_kept:
            assert row.kept_sha256 is not None
            assert np.array_equal(decode(blobs.get(row.kept_sha256)).pixels, before[row.image_sha256])
    assert hilum("rewrite-images").output.startswith("0 images are kept as copies")


def test_a_damaged_image_is_left_and_said(home: Path) -> None:
    url = f"sqlite:///{home / 'hilum.db'}"
    StatePlaces(home).make_home()
    blobs = StatePlaces(home).open_blobs()
    _keep_as_sent(url, blobs, dicom())
    (file,) = [path for path in (home / "blobs").rglob("*") if path.is_file()]
    file.write_bytes(b"other bytes")
    said = hilum("rewrite-images")
    assert said.exit_code == 7
    assert "1 images are damaged and were left" in said.output
    assert file.exists()


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
