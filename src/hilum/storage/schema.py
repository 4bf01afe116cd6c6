"""Which revision of the tables a database has, and how it gets another. Knows Alembic, not what is in the tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from hilum.errors import DatabaseOutdated
from hilum.storage.database import Database, take_time
from hilum.storage.revision import REVISION

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = 0x68696C75
"""PostgreSQL's advisory lock under which only one process migrates."""


def current_revision(database: Database) -> str | None:
    """The revision the database has; None where it was never migrated.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    if database.is_sqlite and not database.file.exists():
        return None
    with database.reading() as connection:
        return _revision(connection)


def require_current(database: Database) -> None:
    """Returns where the database has the revision this version needs.

    Raises:
        DatabaseOutdated: it has another; the message names the command to run.
        DatabaseUnavailable: the database does not answer.
    """
    found = current_revision(database)
    if found == REVISION:
        return
    if found is not None and found > REVISION:
        raise DatabaseOutdated(f"the database has revision {found}, made by a newer hilum than this; install that one")
    raise DatabaseOutdated(
        f"the database has revision {found or 'none'}, this hilum needs {REVISION}; run: hilum db upgrade"
    )


def upgrade(database: Database, revision: str = "head") -> str | None:
    """Migrates up to `revision`.

    Returns:
        The revision the database then has.

    Raises:
        DatabaseUnavailable: the database does not answer, or a migration failed and was undone.
    """
    from alembic import command

    return _migrate(database, lambda config: command.upgrade(config, revision))


def downgrade(database: Database, revision: str) -> str | None:
    """Migrates down to `revision`; `base` leaves an empty database. What the newer tables held is lost.

    Raises:
        DatabaseUnavailable: the database does not answer, or a migration failed and was undone.
    """
    from alembic import command

    return _migrate(database, lambda config: command.downgrade(config, revision))


def _migrate(database: Database, step: Callable[[Config], None]) -> str | None:
    from alembic.config import Config
    from alembic.util.exc import CommandError

    if database.is_sqlite:
        database.file.parent.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    try:
        with database.writing() as connection:
            take_time(connection)  # an index over many rows takes long
            if not database.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            config.attributes["connection"] = connection
            step(config)
            return _revision(connection)
    except CommandError as error:
        raise DatabaseOutdated(f"there is no way to that revision: {error}") from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
