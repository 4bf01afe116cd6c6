"""Where state lies and how it is made ready: the database and the kept images. Knows no prediction and no HTTP."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.errors import DatabaseOutdated, DatabaseUnavailable, StorageInvalid
from hilum.storage.revision import REVISION, copy_sqlite, create_sqlite, sqlite_revision

if TYPE_CHECKING:
    from hilum.storage.blobs import Blobs
    from hilum.storage.database import Database

SLICES, LABELLED = "slices", "labelled"
"""The kinds under which images of predictions, and labelled images, are kept."""

_LOCK_WAIT_S, _SERVING_LOCK_WAIT_S = 5.0, 1.5
"""A person who asks is told within 2 s that another program holds the database; what nobody waits for has patience."""

_DATABASE, _BLOBS, _RUNS = "hilum.db", "blobs", "training"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StatePlaces:
    """Where state lies.

    Attributes:
        home: folder for what is not addressed otherwise.
        database_url: of SQLite or PostgreSQL; None: a file in `home`.
        blobs_url: of the images; None: a folder in `home`.
        lock_wait_s: a write to SQLite waits so long for other programs' writes.
    """

    home: Path
    database_url: str | None = None
    blobs_url: str | None = None
    lock_wait_s: float = _LOCK_WAIT_S

    def for_serving(self) -> StatePlaces:
        """The same, for a process that answers requests."""
        return replace(self, lock_wait_s=_SERVING_LOCK_WAIT_S)

    def make_home(self) -> None:
        """Makes the home folder, closed to other users: it will hold images of patients.

        Raises:
            StorageInvalid: it cannot be made.
        """
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageInvalid(f"HILUM_HOME {str(self.home)!r} cannot be made: {error.strerror}") from error

    @property
    def default_database(self) -> Path:
        """The database's file where no address is given."""
        return self.home.absolute() / _DATABASE

    @property
    def runs(self) -> Path:
        """Folder with a folder for each training run under way, named by its id."""
        return self.home.absolute() / _RUNS

    def open_database(self) -> Database:
        """The database; no connection is opened yet.

        Raises:
            DatabaseUnsupported: the address is of neither kind.
        """
        from hilum.storage.database import Database, sqlite_url

        return Database(self.database_url or sqlite_url(self.default_database), lock_wait_s=self.lock_wait_s)

    def open_blobs(self, kind: str = SLICES) -> Blobs:
        """The bytes of one kind, by default the images of predictions.

        Raises:
            BlobStoreUnsupported: the address is of no known kind.
            BlobStoreUnavailable: the folder cannot be made.
        """
        from hilum.storage.blobs import folder_url, open_blobs

        return open_blobs(self.blobs_url or folder_url(self.home / _BLOBS), kind)


def prepare_new(places: StatePlaces) -> None:
    """Makes the database where all state is new and lies in the home folder; else does nothing.

    Raises:
        StorageInvalid: the home folder or the database cannot be made.
    """
    if places.database_url is None and places.blobs_url is None and not places.default_database.exists():
        places.make_home()
        create_sqlite(places.default_database)


def is_prepared(places: StatePlaces) -> bool:
    """Whether all state lies in the home folder and its database is ready; False where that takes more than a look.

    Loads no database library, so that the process that only starts others stays small.
    """
    file = places.default_database
    is_here = places.database_url is None and places.blobs_url is None
    return is_here and file.is_file() and sqlite_revision(file) == REVISION


def prepare(places: StatePlaces) -> None:
    """Makes the database ready to serve: migrates SQLite, after a copy of it, and checks PostgreSQL.

    PostgreSQL is shared by several servers, so a person decides when it is migrated. One that does not answer now is
    no reason not to start: predictions need no database, and the history heals once it is back.

    Raises:
        DatabaseOutdated: PostgreSQL has another revision; the message names the command to run.
        DatabaseUnsupported, BlobStoreUnsupported: an address is of no known kind.
        StorageInvalid: the home folder or SQLite's file cannot be made.
    """
    from hilum.storage import schema

    places.make_home()
    places.open_blobs()
    database = places.open_database()
    try:
        if not database.is_sqlite:
            schema.require_current(database)
            return
        found = schema.current_revision(database)
        if found == REVISION:
            return
        if found is not None and found > REVISION:
            raise DatabaseOutdated(f"the database has revision {found}, made by a newer hilum; install that one")
        if found is not None:
            copy = _copy_name(database.file, found)
            copy_sqlite(database.file, copy)
            log.warning("the database is migrated; the copy before lies beside it", extra={"reason": copy.name})
        schema.upgrade(database)
    except DatabaseUnavailable as error:
        if database.is_sqlite:
            raise
        log.warning("the database does not answer", extra={"reason": error.detail})
    finally:
        database.close()


def can_let_in_anyone(places: StatePlaces) -> bool:
    """Whether there is a usable API key, or a PostgreSQL that does not answer now and may know one.

    Raises:
        DatabaseUnavailable: SQLite's file cannot be read.
    """
    from hilum.services.keys import has_usable_key

    database = places.open_database()
    try:
        return has_usable_key(database)
    except DatabaseUnavailable:
        if database.is_sqlite:
            raise
        return True
    finally:
        database.close()


def _copy_name(file: Path, revision: str) -> Path:
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    return file.with_name(f"{file.name}.{revision}-{moment}.bak")
