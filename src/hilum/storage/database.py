"""The connection to SQLite or PostgreSQL: how to reach it, and transactions. Knows no table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hilum.errors import DatabaseUnavailable, DatabaseUnsupported, DiskFull
from hilum.storage.fullness import is_about_room

_TIMEOUT_S = 5
"""For a connection that opens or answers no more: a prediction must not wait for a dead database."""

_POOL = 5
_WRITES = "hilum_writes"

COUNTED = {"preserve_rowcount": True}
"""Execution options of an insert whose count of rows is asked for; SQLAlchemy keeps no such count by itself."""


def parse_url(url: str) -> URL:
    """Reads a database's address and chooses its driver.

    Args:
        url: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST:PORT/NAME`.

    Raises:
        DatabaseUnsupported: it is neither.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    backend = parsed.get_backend_name() if parsed is not None else None
    if parsed is None or backend not in {"sqlite", "postgresql"}:
        raise DatabaseUnsupported(
            "HILUM_DATABASE_URL is no address of SQLite (sqlite:///FILE) or PostgreSQL (postgresql://USER@HOST/NAME)"
        )
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise DatabaseUnsupported("a database in memory forgets everything; name a file: sqlite:///FILE")
        return parsed.set(drivername="sqlite")
    return parsed.set(drivername="postgresql+psycopg")


def sqlite_url(file: Path) -> str:
    """The address of an SQLite database in `file`."""
    return f"sqlite:///{file.absolute()}"


class Database:
    """An SQLite or PostgreSQL database. Safe to use from several threads; opens no connection until one is needed."""

    def __init__(self, url: str, *, lock_wait_s: float = 5.0) -> None:
        """Takes the address.

        Args:
            url: of the database.
            lock_wait_s: a write to SQLite waits so long for other programs' writes.

        Raises:
            DatabaseUnsupported: it is of neither kind.
        """
        self.url = parse_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(self.url, lock_wait_s) if self.is_sqlite else _postgresql_engine(self.url)

    @property
    def file(self) -> Path:
        """The file of an SQLite database.

        Raises:
            DatabaseUnsupported: it is not SQLite.
        """
        if not self.is_sqlite:
            raise DatabaseUnsupported("only SQLite keeps its database in a file")
        return Path(self.url.database or "")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads.

        Raises:
            DatabaseUnavailable: the database does not answer, or not in time.
        """
        with self._transaction(is_writing=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is durable once the block has ended, and undone where the block raises.

        Raises:
            DatabaseUnavailable: the database does not answer, or not in time.
        """
        with self._transaction(is_writing=True) as connection:
            yield connection

    @contextmanager
    def _transaction(self, *, is_writing: bool) -> Iterator[Connection]:
        try:
            with self.engine.connect() as connection:
                connection.execution_options(**{_WRITES: is_writing})
                with connection.begin():
                    yield connection
        except (DBAPIError, PoolTimeout, OSError) as error:
            kind = DiskFull if is_about_room(error) else DatabaseUnavailable
            raise kind(f"the database says: {_reason(error)}") from error

    def close(self) -> None:
        """Closes every idle connection."""
        self.engine.dispose()


def _reason(error: SQLAlchemyError | OSError) -> str:
    """The driver's words, without the statement and its values, which can be long and private."""
    original = getattr(error, "orig", None) or error
    words = str(original)
    return words.splitlines()[0][:200] if words else type(original).__name__


def _sqlite_engine(url: URL, lock_wait_s: float) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": lock_wait_s},
        pool_size=_POOL,
        pool_timeout=_TIMEOUT_S,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # sqlite3 would begin transactions late and commit around DDL
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # a reader that becomes a writer fails where another wrote meanwhile, so writers say so first
        is_writing = connection.get_execution_options().get(_WRITES, True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    return engine


def _postgresql_engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        connect_args={"connect_timeout": _TIMEOUT_S, "tcp_user_timeout": _TIMEOUT_S * 1000},
        pool_size=_POOL,
        pool_timeout=_TIMEOUT_S,
        pool_pre_ping=True,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: Any) -> None:
        connection.execute(f"SET statement_timeout = '{_TIMEOUT_S}s'")
        connection.commit()

    return engine


def take_time(connection: Connection) -> None:
    """Lets the statements of this transaction take longer than others, where their time grows with the rows.

    SQLite sets none a limit.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))


def ping(database: Database) -> None:
    """Returns where the database answers.

    Raises:
        DatabaseUnavailable: it does not.
    """
    with database.reading() as connection:
        connection.execute(text("SELECT 1"))
