"""Appends to the audit log and reads it. All of its SQL is here; there is none that changes or deletes an event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, select, text

from hilum.storage.audit_chain import AuditEvent, Head, NewEvent, chained
from hilum.storage.tables import AuditEventRow, Base

_PAGE = 1000
_ONLY = 1
_EVENTS, _HEADS = Base.metadata.tables["audit_events"], Base.metadata.tables["audit_head"]

# Made once: SQLAlchemy takes longer to put a statement together than SQLite to carry it out.
_ADD = _EVENTS.insert()
_HEAD = select(_HEADS.c.sequence, _HEADS.c.digest).where(_HEADS.c.id == _ONLY)
_LOCKED_HEAD = _HEAD.with_for_update()  # SQLite ignores FOR UPDATE
_MOVE_HEAD = _HEADS.update().where(_HEADS.c.id == _ONLY).values(sequence=bindparam("at"), digest=bindparam("by"))


def append(connection: Connection, events: Sequence[NewEvent]) -> Head:
    """Appends events in the caller's transaction, which waits for any other that appends.

    SQLite lets one transaction write at a time, since writers begin with BEGIN IMMEDIATE; on PostgreSQL the head's row
    is locked until the transaction ends. So numbers have no gap and every event follows the one before it.

    Returns:
        Where the log then ends.
    """
    head = _locked_head(connection)
    if not events:
        return head
    added = chained(head, datetime.now(UTC), events)
    connection.execute(_ADD, [vars(event) for event in added])
    head = Head(added[-1].sequence, added[-1].digest)
    connection.execute(_MOVE_HEAD, {"at": head.sequence, "by": head.digest})
    return head


def freeze(connection: Connection) -> None:
    """Makes what the transaction reads from now on that of one moment; SQLite's transactions always do."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


def head_of(connection: Connection) -> Head | None:
    """Where the log says that it ends; None where that row was deleted."""
    row = connection.execute(_HEAD).one_or_none()
    return Head(row.sequence, row.digest) if row is not None else None


def events(connection: Connection, *, after: int = 0) -> Iterator[AuditEvent]:
    """Every event behind number `after`, in the log's order, a page at a time."""
    statement = select(*AuditEventRow.__table__.c).order_by(AuditEventRow.sequence).limit(_PAGE)
    while True:
        rows = connection.execute(statement.where(AuditEventRow.sequence > after)).all()
        yield from (AuditEvent(**row._mapping) for row in rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1].sequence


def _locked_head(connection: Connection) -> Head:
    row = connection.execute(_LOCKED_HEAD).one()
    return Head(row.sequence, row.digest)
