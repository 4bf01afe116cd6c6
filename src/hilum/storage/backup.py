"""Writes state into one file and brings it back: the database and, from a folder, the images. Knows no table."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from hilum.errors import BackupFailed, BackupInvalid, BlobMissing, RestoreRefused
from hilum.storage import labelled_images, postgresql_tools, predictions
from hilum.storage.blobs import Blobs
from hilum.storage.database import Database
from hilum.storage.revision import REVISION, copy_sqlite, sqlite_revision
from hilum.storage.schema import current_revision, upgrade

_FORMAT = 1
_ABOUT, _SQLITE, _POSTGRESQL, _BLOBS = "backup.json", "hilum.db", "hilum.pgdump", "blobs/"
_LARGEST_ABOUT = 100_000


@dataclass(frozen=True)
class BackupSummary:
    """What a backup holds.

    Attributes:
        database: `sqlite` or `postgresql`.
        revision: of its tables.
        made_at: when the copy of the database was begun.
        images: how many blobs of all kinds it holds; None where they lie in an object store, which has its own copies.
    """

    database: str
    revision: str | None
    made_at: datetime
    images: int | None


def backup(database: Database, blobs: Blobs, file: Path, *, also: Sequence[Blobs] = ()) -> BackupSummary:
    """Writes the state into `file`, a tar, while the service may go on serving.

    Args:
        database: copied as it is at one moment.
        blobs: images of predictions.
        file: a new one.
        also: bytes of other kinds.

    The database is copied first: images are kept before the rows that name them, so every row has its image.

    Raises:
        BackupFailed: something cannot be read, or `file` exists or cannot be written.
        DatabaseUnavailable, BlobStoreUnavailable: the state does not answer.
    """
    if file.exists():
        raise BackupFailed(f"{file.name!r} exists already; name a new file")
    partial = file.with_name(file.name + ".partial")
    made_at = datetime.now(UTC)
    revision = current_revision(database)
    kind = "sqlite" if database.is_sqlite else "postgresql"
    try:
        with TemporaryDirectory(prefix=".hilum-backup-", dir=file.parent) as scratch:
            name = _SQLITE if database.is_sqlite else _POSTGRESQL
            dump = Path(scratch) / name
            if database.is_sqlite:
                if revision is None:
                    raise BackupFailed("there is no database yet")
                copy_sqlite(database.file, dump)
            else:
                postgresql_tools.dump(database.url, dump)
            with partial.open("wb") as stream, tarfile.open(fileobj=stream, mode="w") as archive:
                archive.add(dump, name)
                digests = {name: _file_digest(dump)}
                images = _add_images(archive, blobs, _BLOBS)
                for others in also:
                    more = _add_images(archive, others, f"{_BLOBS}{others.kind}/")
                    images = None if images is None or more is None else images + more
                about = {
                    "format": _FORMAT, "database": kind,
                    "revision": revision, "made_at": made_at.isoformat(), "images": images, "files": digests,
                }  # fmt: skip
                _add_bytes(archive, _ABOUT, json.dumps(about, indent=2).encode())
        partial.replace(file)
    except OSError as error:
        raise BackupFailed(f"the backup could not be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return BackupSummary(kind, revision, made_at, images)


def restore(
    database: Database, blobs: Blobs, file: Path, *, also: Sequence[Blobs] = (), is_forced: bool = False
) -> BackupSummary:
    """Brings back the state that `backup` wrote. Everything is verified before anything is changed.

    Args:
        database: of the kind the backup was made of; migrated afterwards where the backup is older.
        blobs: where the backup's images are put.
        file: the backup.
        also: where its bytes of other kinds are put.
        is_forced: overwrite a database that holds predictions or labelled images.

    Raises:
        BackupInvalid: the file is no backup, is damaged, or is of another kind of database.
        RestoreRefused: there is state already.
        BackupFailed: the database could not be overwritten.
    """
    with TemporaryDirectory(prefix="hilum-restore-") as scratch:
        about, dump = _verify(file, Path(scratch))
        kind = "sqlite" if database.is_sqlite else "postgresql"
        if about["database"] != kind:
            raise BackupInvalid(f"the backup is of {about['database']}, HILUM_DATABASE_URL is {kind}")
        if (about["revision"] or "") > REVISION:
            raise BackupInvalid(f"the backup has revision {about['revision']}, newer than this hilum's {REVISION}")
        if not is_forced and _holds_state(database):
            raise RestoreRefused(
                "the database holds predictions or images; restore elsewhere, or overwrite it with --force"
            )
        places = {"": blobs, **{others.kind: others for others in also}}
        for kind, data in _images(file):
            if kind not in places:
                raise BackupInvalid(f"{file.name!r} holds bytes of a kind this hilum does not keep")
            places[kind].put(data)
        if database.is_sqlite:
            _restore_sqlite(dump, database.file)
        else:
            database.close()
            postgresql_tools.restore(database.url, dump)
        database.close()
        upgrade(database)
    return BackupSummary(
        about["database"], about["revision"], datetime.fromisoformat(about["made_at"]), about["images"]
    )


def _restore_sqlite(dump: Path, target: Path) -> None:
    """Overwrites through SQLite, whose locks keep a server that has the file open from reading a mixture."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(dump)) as copy, closing(sqlite3.connect(target)) as live:
            copy.backup(live)
    except sqlite3.Error as error:
        raise BackupFailed(f"the database could not be overwritten: {error}") from error


def _holds_state(database: Database) -> bool:
    if current_revision(database) is None:
        return False
    with database.reading() as connection:
        if not predictions.is_empty(connection):
            return True
        return labelled_images.is_there(connection) and not labelled_images.is_empty(connection)


def _add_images(archive: tarfile.TarFile, blobs: Blobs, folder: str) -> int | None:
    if blobs.folder is None:
        return None
    count = 0
    aside = {one.digest for one in blobs.aside()}  # a row may name one of them by now
    for digest in chain(aside, (entry.digest for entry in blobs.entries() if entry.digest not in aside)):
        try:
            data = blobs.get(digest)
        except BlobMissing:  # deleted meanwhile, with its row
            continue
        _add_bytes(archive, folder + digest, data)
        count += 1
    return count


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _verify(file: Path, scratch: Path) -> tuple[dict[str, Any], Path]:
    """Checks every hash and unpacks the database, and it alone, into `scratch`."""
    try:
        about, dump, images = _unpack(file, scratch)
    except tarfile.TarError as error:
        raise BackupInvalid(f"{file.name!r} is no backup, or is damaged: {error}") from error
    if about is None or dump is None:
        raise BackupInvalid(f"{file.name!r} is no backup of hilum, or is cut short")
    if about["files"].get(dump.name) != _file_digest(dump):
        raise BackupInvalid(f"the database in {file.name!r} is damaged: its sha256 is not the backup's")
    if images != (about["images"] or 0):
        raise BackupInvalid(f"{file.name!r} holds {images} images, not {about['images']}")
    if dump.name == _SQLITE and sqlite_revision(dump) != about["revision"]:
        raise BackupInvalid(f"the database in {file.name!r} has another revision than the backup says")
    return about, dump


def _unpack(file: Path, scratch: Path) -> tuple[dict[str, Any] | None, Path | None, int]:
    about: dict[str, Any] | None = None
    dump: Path | None = None
    images = 0
    for name, stream in _members(file):
        if name == _ABOUT:
            about = _parsed(stream.read(_LARGEST_ABOUT))
        elif name in {_SQLITE, _POSTGRESQL} and dump is None:
            dump = scratch / name
            with dump.open("wb") as out:
                while chunk := stream.read(1 << 20):
                    out.write(chunk)
        elif name.startswith(_BLOBS):
            if hashlib.sha256(stream.read()).hexdigest() != name.rpartition("/")[2]:
                raise BackupInvalid(f"an image of {file.name!r} is damaged: its sha256 is not its name")
            images += 1
        else:
            raise BackupInvalid(f"{file.name!r} holds what no backup of hilum does")
    return about, dump, images


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        about = json.loads(data)
        is_known = about["format"] == _FORMAT and isinstance(about["files"], dict)
        datetime.fromisoformat(about["made_at"])
        _ = about["database"], about["revision"], about["images"]
    except (ValueError, TypeError, KeyError) as error:
        raise BackupInvalid(f"{_ABOUT} of the backup cannot be read") from error
    if not is_known:
        raise BackupInvalid(f"the backup has format {about['format']}, this hilum reads {_FORMAT}")
    return about  # type: ignore[no-any-return]


def _members(file: Path) -> Iterator[tuple[str, BinaryIO]]:
    try:
        with tarfile.open(file, mode="r:") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                if stream is None:
                    raise BackupInvalid(f"{file.name!r} holds something that is no plain file")
                yield member.name, stream  # type: ignore[misc]
    except OSError as error:
        raise BackupInvalid(f"{file.name!r} cannot be read: {error.strerror or error}") from error


def _images(file: Path) -> Iterator[tuple[str, bytes]]:
    """The kind, empty for images of predictions, and the bytes of every blob."""
    for name, stream in _members(file):
        if name.startswith(_BLOBS):
            yield name.removeprefix(_BLOBS).rpartition("/")[0], stream.read()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
