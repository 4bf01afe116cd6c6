"""The audit log is append-only and chained, whoever writes at the same time, on SQLite and PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from hilum.errors import AuditLogBroken, DatabaseUnavailable
from hilum.services.audit_log import verify
from hilum.storage import audit_log
from hilum.storage.audit_chain import GENESIS, Head, NewEvent, chained, follow
from hilum.storage.database import Database
from hilum.storage.tables import Base

_DROP = {
    "sqlite": ("DROP TRIGGER audit_events_no_update", "DROP TRIGGER audit_events_no_delete"),
    "postgresql": ("DROP TRIGGER audit_events_no_change ON audit_events",),
}


def write(database: Database, *kinds: str) -> Head:
    """Appends an event of each kind."""
    with database.writing() as connection:
        return audit_log.append(connection, [NewEvent(kind, "open", "größe", {"role": "predict"}) for kind in kinds])


def tamper(database: Database, *statements: str) -> None:
    """Runs statements as someone would who owns the database and drops the triggers first."""
    with database.writing() as connection:
        for statement in (*_DROP["sqlite" if database.is_sqlite else "postgresql"], *statements):
            connection.exec_driver_sql(statement)


def write_twenty(url: str) -> None:
    """Appends events one by one, over connections of its own."""
    database = Database(url)
    for _ in range(20):
        write(database, "predict", "sign-in")
    database.close()


def test_events_stand_in_order_and_the_chain_holds(database: Database) -> None:
    assert verify(database).head == Head(0, GENESIS)
    write(database, "sign-in", "predict")
    head = write(database, "sign-out")

    with database.reading() as connection:
        found = list(audit_log.events(connection))
        assert list(audit_log.events(connection, after=2)) == found[2:]
    assert [(event.sequence, event.kind) for event in found] == [(1, "sign-in"), (2, "predict"), (3, "sign-out")]
    assert found[0].previous_digest == GENESIS
    assert found[1].details == {"role": "predict"}
    assert verify(database).head == head == Head(3, found[2].digest)


def test_reading_goes_on_over_pages(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "_PAGE", 2)
    write(database, *"abcde")

    assert verify(database).head.sequence == 5


def test_servers_that_write_at_once_make_one_chain(database: Database) -> None:
    url = database.url.render_as_string(hide_password=False)
    with ThreadPoolExecutor(3) as servers:
        list(servers.map(write_twenty, [url] * 3))

    assert verify(database).head.sequence == 120


def test_an_event_that_is_not_committed_leaves_no_gap(database: Database) -> None:
    def fail() -> None:
        with database.writing() as connection:
            audit_log.append(connection, [NewEvent("predict", "open")])
            raise RuntimeError

    write(database, "sign-in")
    with pytest.raises(RuntimeError):
        fail()
    write(database, "sign-out")
    assert verify(database).head.sequence == 2


@pytest.mark.parametrize("statement", ["UPDATE audit_events SET actor = 'nobody'", "DELETE FROM audit_events"])
def test_the_database_refuses_to_change_the_log(database: Database, statement: str) -> None:
    write(database, "predict")

    with pytest.raises(DatabaseUnavailable, match="append-only"), database.writing() as connection:
        connection.exec_driver_sql(statement)
    assert verify(database).head.sequence == 1


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        pytest.param(
            ["UPDATE audit_events SET actor = 'nobody' WHERE sequence = 3"], "event 3 was changed", id="actor"
        ),
        pytest.param(
            ["UPDATE audit_events SET details = '{}' WHERE sequence = 2"], "event 2 was changed", id="details"
        ),
        pytest.param(
            ["UPDATE audit_events SET at = '2020-01-01 00:00:00' WHERE sequence = 5"], "event 5 was", id="time"
        ),
        pytest.param(["DELETE FROM audit_events WHERE sequence = 4"], "event 4 is missing", id="deleted"),
        pytest.param(["DELETE FROM audit_events WHERE sequence = 1"], "event 1 is missing", id="the first deleted"),
        pytest.param(["DELETE FROM audit_events WHERE sequence = 6"], "event 6 is missing", id="the last deleted"),
        pytest.param(["DELETE FROM audit_events"], "event 1 is missing", id="all deleted"),
        pytest.param(
            [
                "UPDATE audit_events SET sequence = 99 WHERE sequence = 2",
                "UPDATE audit_events SET sequence = 2 WHERE sequence = 3",
                "UPDATE audit_events SET sequence = 3 WHERE sequence = 99",
            ],
            "event 2 does not follow",
            id="reordered",
        ),
        pytest.param(
            [
                "DELETE FROM audit_events WHERE sequence = 2",
                "UPDATE audit_events SET sequence = sequence - 1 WHERE sequence = 3",
            ],
            "event 2 does not follow",
            id="deleted and closed up",
        ),
        pytest.param(
            [
                "INSERT INTO audit_events SELECT 7, at, kind, actor, subject, details, digest, digest "
                "FROM audit_events WHERE sequence = 6"
            ],
            "event 7 was changed",
            id="forged",
        ),
        pytest.param(["DELETE FROM audit_head"], "row that says where the log ends is missing", id="no head"),
    ],
)
def test_what_was_tampered_with_is_named(database: Database, statements: list[str], words: str) -> None:
    write(database, *"abcdef")
    tamper(database, *statements)

    with pytest.raises(AuditLogBroken, match=words):
        verify(database)


def test_a_head_that_was_noted_shows_what_the_chain_alone_cannot(database: Database) -> None:
    noted = write(database, "predict", "predict")
    write(database, "sign-in")
    assert verify(database, noted).head.sequence == 3

    with pytest.raises(AuditLogBroken, match="event 2 is not the one"):
        verify(database, Head(2, "f" * 64))
    with pytest.raises(AuditLogBroken, match="event 4 is missing"):
        verify(database, Head(9, "f" * 64))


def test_a_log_that_another_version_wrote_still_holds() -> None:
    """The digest is a promise: what it is made of must not change, nor may the order in which a database keeps keys."""
    at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    for details in ({"zeta": "1", "alpha": "Größe"}, {"alpha": "Größe", "zeta": "1"}):
        (event,) = chained(Head(), at, [NewEvent("predict", "k1", "s", details)])
        assert event.digest == "d9289bfe2a74a454e953eb65466a3c6ec4758b28a8d20f00ecb04197f4676092"
        assert follow(Head(), [event]) == Head(1, event.digest)


def test_there_is_no_room_for_names_or_pixels() -> None:
    columns = set(Base.metadata.tables["audit_events"].columns.keys())

    assert columns == {"sequence", "at", "kind", "actor", "subject", "details", "previous_digest", "digest"}
