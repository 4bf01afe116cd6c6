"""A backup brings back every prediction and image, and nothing damaged is restored."""

from __future__ import annotations

import io
import tarfile
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from storage_samples import keep, prediction

from hilum.errors import BackupFailed, BackupInvalid, RestoreRefused
from hilum.storage import backup, postgresql_tools
from hilum.storage.blobs import Blobs, folder_url, open_blobs
from hilum.storage.database import Database
from hilum.storage.predictions import PredictionFilter, page
from hilum.storage.schema import downgrade, upgrade
from labelled_samples import many, opened_datasets


def count(database: Database) -> int:
    """How many predictions are kept."""
    with database.reading() as connection:
        return len(page(connection, PredictionFilter(), before=None, limit=10_000))


@pytest.fixture
def folder(tmp_path: Path) -> Blobs:
    """Images in a folder."""
    return open_blobs(folder_url(tmp_path / "blobs"), "slices")


def with_image(folder: Blobs, number: int, data: bytes) -> None:
    """Keeps an image for prediction `number`."""
    assert folder.put(data) != ""


def test_a_backup_brings_everything_back(database: Database, folder: Blobs, tmp_path: Path) -> None:
    digest = folder.put(b"slice")
    keep(database, prediction(0, image_sha256=digest), prediction(1))
    made = backup.backup(database, folder, tmp_path / "hilum.backup")
    downgrade(database, "base")
    folder.delete(digest)

    restored = backup.restore(database, folder, tmp_path / "hilum.backup")

    assert (made.images, restored) == (1, made)
    assert count(database) == 2
    assert folder.get(digest) == b"slice"
    assert sorted(path.name for path in tmp_path.glob("*hilum*backup*")) == ["hilum.backup"]


def test_a_backup_holds_labelled_images_and_models_by_kind(database: Database, folder: Blobs, tmp_path: Path) -> None:
    labelled = open_blobs(folder_url(tmp_path / "blobs"), "labelled")
    digests = folder.put(b"slice"), labelled.put(b"labelled"), labelled.put(b"slice")
    made = backup.backup(database, folder, tmp_path / "hilum.backup", also=[labelled])
    assert made.images == 3
    elsewhere = [open_blobs(folder_url(tmp_path / "new"), kind) for kind in ("slices", "labelled")]

    with pytest.raises(BackupInvalid, match="of a kind"):
        backup.restore(database, elsewhere[0], tmp_path / "hilum.backup")
    backup.restore(database, elsewhere[0], tmp_path / "hilum.backup", also=[elsewhere[1]])
    assert [one.digest for one in elsewhere[0].entries()] == [digests[0]]
    assert {one.digest for one in elsewhere[1].entries()} == {digests[1], digests[2]}


def test_a_backup_holds_what_is_set_aside_once(database: Database, folder: Blobs, tmp_path: Path) -> None:
    digests = [folder.put(data) for data in (b"twice", b"aside", b"kept")]
    for digest in digests[:2]:
        folder.set_aside(digest, datetime.now(UTC))
    folder.put(b"twice")
    assert backup.backup(database, folder, tmp_path / "hilum.backup").images == 3
    elsewhere = open_blobs(folder_url(tmp_path / "new"), "slices")

    backup.restore(database, elsewhere, tmp_path / "hilum.backup")
    assert {entry.digest for entry in elsewhere.entries()} == set(digests)


def test_restoring_over_labelled_images_needs_force(
    database: Database, database_url: str, folder: Blobs, tmp_path: Path
) -> None:
    backup.backup(database, folder, tmp_path / "hilum.backup")
    with opened_datasets(database_url, tmp_path / "blobs") as datasets:
        datasets.add(many(1, 1), source="import", takes_new_classes=True)

    with pytest.raises(RestoreRefused, match="--force"):
        backup.restore(database, folder, tmp_path / "hilum.backup")


def test_restoring_over_predictions_needs_force(database: Database, folder: Blobs, tmp_path: Path) -> None:
    keep(database, prediction(0))
    backup.backup(database, folder, tmp_path / "hilum.backup")
    keep(database, prediction(1))

    with pytest.raises(RestoreRefused, match="--force"):
        backup.restore(database, folder, tmp_path / "hilum.backup")
    assert count(database) == 2
    backup.restore(database, folder, tmp_path / "hilum.backup", is_forced=True)
    assert count(database) == 1


def test_a_backup_is_whole_while_another_thread_writes(database: Database, folder: Blobs, tmp_path: Path) -> None:
    stop = threading.Event()
    written = []

    def write() -> None:
        number = 0
        while not stop.is_set():
            digest = folder.put(str(number).encode())
            keep(database, prediction(number, image_sha256=digest))
            written.append(number)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    while len(written) < 20:
        pass
    backup.backup(database, folder, tmp_path / "hilum.backup")
    stop.set()
    writer.join()
    backup.restore(database, folder, tmp_path / "hilum.backup", is_forced=True)

    with database.reading() as connection:
        kept = page(connection, PredictionFilter(), before=None, limit=10_000)
    assert 20 <= len(kept) <= len(written)
    for item in kept:
        folder.get(item.image_sha256)


def test_an_existing_file_is_not_overwritten(database: Database, folder: Blobs, tmp_path: Path) -> None:
    (tmp_path / "hilum.backup").write_bytes(b"mine")
    with pytest.raises(BackupFailed, match="exists"):
        backup.backup(database, folder, tmp_path / "hilum.backup")
    assert (tmp_path / "hilum.backup").read_bytes() == b"mine"


def rewritten(file: Path, change: dict[str, bytes | None]) -> Path:
    """A copy of a backup with members changed or left out."""
    copy = file.with_name("changed.backup")
    with tarfile.open(file) as old, tarfile.open(copy, "w") as new:
        for member in old:
            stream = old.extractfile(member)
            data = stream.read() if stream else b""
            data_or_none = change.get(member.name, data)
            if data_or_none is not None:
                member.size = len(data_or_none)
                new.addfile(member, io.BytesIO(data_or_none))
    return copy


def test_a_damaged_backup_is_refused_and_changes_nothing(tmp_path: Path, folder: Blobs) -> None:
    database = Database(f"sqlite:///{tmp_path / 'hilum.db'}")
    upgrade(database)
    digest = folder.put(b"slice")
    keep(database, prediction(0, image_sha256=digest))
    made = tmp_path / "hilum.backup"
    backup.backup(database, folder, made)
    folder.delete(digest)
    good = made.read_bytes()
    damaged = [
        rewritten(made, {"hilum.db": b"SQLite format 3\0" * 900}).read_bytes(),
        rewritten(made, {"hilum.db": None}).read_bytes(),
        rewritten(made, {f"blobs/{digest}": b"slicE"}).read_bytes(),
        rewritten(made, {f"blobs/{digest}": None}).read_bytes(),
        rewritten(made, {"backup.json": b"{}"}).read_bytes(),
        rewritten(made, {"backup.json": None}).read_bytes(),
        good[:5000],
        b"",
        b"no tar at all" * 100,
    ]
    for data in damaged:
        made.write_bytes(data)
        with pytest.raises(BackupInvalid):
            backup.restore(database, folder, made, is_forced=True)
        assert count(database) == 1
        assert list(folder.entries()) == []


def test_a_backup_that_points_outside_is_refused(tmp_path: Path, folder: Blobs) -> None:
    made = tmp_path / "evil.backup"
    with tarfile.open(made, "w") as archive:
        archive.addfile(tarfile.TarInfo("../../evil"), io.BytesIO(b""))
    with pytest.raises(BackupInvalid):
        backup.restore(Database(f"sqlite:///{tmp_path / 'hilum.db'}"), folder, made)


def test_a_backup_of_the_other_database_is_refused(database: Database, folder: Blobs, tmp_path: Path) -> None:
    backup.backup(database, folder, tmp_path / "hilum.backup")
    other = Database(
        "postgresql://hilum@127.0.0.1:1/none" if database.is_sqlite else f"sqlite:///{tmp_path / 'other.db'}"
    )
    with pytest.raises(BackupInvalid, match="HILUM_DATABASE_URL"):
        backup.restore(other, folder, tmp_path / "hilum.backup")


def test_images_of_an_object_store_stay_there(tmp_path: Path, s3_blobs: Blobs) -> None:
    database = Database(f"sqlite:///{tmp_path / 'hilum.db'}")
    upgrade(database)
    s3_blobs.put(b"slice")
    assert backup.backup(database, s3_blobs, tmp_path / "hilum.backup").images is None
    assert backup.restore(database, s3_blobs, tmp_path / "hilum.backup").images is None


def test_says_what_to_install_where_pg_dump_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgresql_tools, "_INSTALLED", tmp_path)
    with pytest.raises(BackupFailed, match="apt-get install postgresql-client"):
        postgresql_tools.find_tool("pg_dump")
