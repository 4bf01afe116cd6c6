"""What both databases promise, and how they are addressed."""

from __future__ import annotations

import multiprocessing
import threading
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import text
from storage_samples import keep, keep_twenty, prediction

from hilum.errors import DatabaseUnavailable, DatabaseUnsupported
from hilum.storage.database import Database, parse_url, ping, take_time
from hilum.storage.predictions import find
from hilum.storage.schema import upgrade
from postgresql_server import PostgresqlServer


@pytest.mark.parametrize(
    "url", ["", "hilum.db", "mysql://localhost/hilum", "sqlite://", "sqlite:///:memory:", "http://localhost"]
)
def test_refuses_what_is_no_address_of_its_databases(url: str) -> None:
    with pytest.raises(DatabaseUnsupported):
        parse_url(url)


def test_a_refusal_never_repeats_the_password() -> None:
    with pytest.raises(DatabaseUnsupported) as refusal:
        parse_url("mysql://me:s3cret@localhost/hilum")
    assert "s3cret" not in str(refusal.value)


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.writing() as connection:
            connection.execute(text("INSERT INTO provenances (digest, document) VALUES ('x', '{}')"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM provenances")).scalar() == 0


def test_foreign_keys_are_kept(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable), database.writing() as connection:
        connection.execute(text("INSERT INTO feedback VALUES (:id, 'normal', false, '2026-01-01')"), {"id": "0" * 32})


def test_a_write_waits_as_long_as_told_for_other_programs(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'hilum.db'}", lock_wait_s=1.25)
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 1250


def test_sqlite_syncs_what_it_acknowledges(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'hilum.db'}")
    with database.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }

    assert found == {"journal_mode": "wal", "synchronous": 2}


def test_two_processes_write_at_once(database: Database, database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=keep_twenty, args=(database_url, first)) for first in (0, 100)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert [writer.exitcode for writer in writers] == [0, 0]
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM predictions")).scalar() == 40


def test_threads_read_while_another_writes(database: Database) -> None:
    keep(database, prediction(1))
    found = []

    def read() -> None:
        with database.reading() as connection:
            found.append(find(connection, prediction(1).id))

    with database.writing():
        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

    assert found == [prediction(1)] * 4


def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    for url in ("postgresql://hilum@127.0.0.1:1/none", f"sqlite:///{tmp_path / 'no' / 'folder.db'}"):
        with pytest.raises(DatabaseUnavailable):
            ping(Database(url))


def test_a_refusal_never_shows_what_was_written(database: Database) -> None:
    keep(database, prediction(1))
    with pytest.raises(DatabaseUnavailable) as refusal:
        keep(database, prediction(1))
    assert "adenocarcinoma" not in str(refusal.value)
    assert "INSERT" not in str(refusal.value)


def test_only_a_transaction_that_asks_takes_its_time(postgresql: PostgresqlServer) -> None:
    with postgresql.database() as url, closing(Database(url)) as database:
        found = []
        for asks in (False, True, False):
            with database.reading() as connection:
                if asks:
                    take_time(connection)
                found.append(connection.execute(text("SHOW statement_timeout")).scalar())
        assert found == ["5s", "0", "5s"]


def test_postgresql_heals_once_it_is_back(postgresql: PostgresqlServer) -> None:
    with postgresql.database() as url:
        database = Database(url)
        upgrade(database)
        keep(database, prediction(1))
        postgresql.stop()
        try:
            with pytest.raises(DatabaseUnavailable):
                keep(database, prediction(2))
        finally:
            postgresql.start()
        keep(database, prediction(2))
        with database.reading() as connection:
            assert find(connection, prediction(1).id) is not None
        database.close()


def test_where_every_connection_is_taken_the_next_is_not_waited_for_long(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H111."""
    monkeypatch.setattr("hilum.storage.database._TIMEOUT_S", 1)
    with closing(Database(database_url)) as database, ExitStack() as taken:
        for _ in range(15):  # five, and ten more of SQLAlchemy's overflow
            taken.enter_context(database.reading())
        with pytest.raises(DatabaseUnavailable), database.reading():
            pytest.fail("there was another one")
        taken.close()
        ping(database)


def test_a_slow_postgresql_is_given_up(postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """H111."""
    monkeypatch.setattr("hilum.storage.database._TIMEOUT_S", 1)
    with postgresql.database() as url, closing(Database(url)) as database:
        with pytest.raises(DatabaseUnavailable, match="timeout"), database.reading() as connection:
            connection.execute(text("SELECT pg_sleep(60)"))
        ping(database)
