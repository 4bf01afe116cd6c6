"""A full disk is told from other troubles, by SQLite, by a folder of bytes, and in words of PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from hilum.errors import DatabaseUnavailable, DiskFull
from hilum.storage.blobs import folder_url, open_blobs
from hilum.storage.database import Database
from hilum.storage.fullness import is_about_room


def test_a_database_without_room_says_so_and_goes_on_once_there_is_some(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'hilum.db'}")
    with database.writing() as connection:
        connection.execute(sa.text("CREATE TABLE kept (bytes BLOB)"))

    def keep_a_megabyte(most_pages: int) -> None:
        with database.writing() as connection:
            connection.execute(sa.text(f"PRAGMA max_page_count = {most_pages}"))
            connection.execute(sa.text("INSERT INTO kept VALUES (zeroblob(1000000))"))

    with pytest.raises(DiskFull) as refused:
        keep_a_megabyte(most_pages=4)
    assert refused.value.status == 507
    keep_a_megabyte(most_pages=1_000_000)
    database.close()


def test_another_trouble_of_a_database_is_no_matter_of_room(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'hilum.db'}")

    def keep_nowhere() -> None:
        with database.writing() as connection:
            connection.execute(sa.text("INSERT INTO nowhere VALUES (1)"))

    with pytest.raises(DatabaseUnavailable):
        keep_nowhere()
    database.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_folder_without_room_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = open_blobs(folder_url(tmp_path), "slices")

    def put(*arguments: object, **options: object) -> None:
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")

    monkeypatch.setattr("hilum.storage.blobs.obstore.put", put)
    with pytest.raises(DiskFull, match="No space left"):
        blobs.put(b"bytes")


@pytest.mark.parametrize(
    ("said", "is_so"),
    [
        ('could not extend file "base/16384/16397": No space left on device', True),
        ("{'S': 'ERROR', 'C': '53100'}", True),
        ("Generic LocalFileSystem error: Unable to copy data to file: No space left on device (os error 28)", True),
        ("connection refused", False),
        ("permission denied", False),
    ],
)
def test_words_of_databases_and_stores(said: str, is_so: bool) -> None:
    assert is_about_room(OSError(said)) is is_so
