"""The audit log: who did what, appended by a writer of its own and verified as a whole. Knows no HTTP and no table."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from hilum.errors import AuditLogBroken
from hilum.services.history_writer import GroupWriter
from hilum.storage import audit_log
from hilum.storage.audit_chain import AuditEvent, Break, Head, NewEvent, follow
from hilum.storage.database import Database

__all__ = ["AuditEvent", "AuditLog", "Head", "NewEvent", "Verified", "export", "verify"]

OPEN = "open"
"""The actor where no key is needed."""

SYSTEM = "system"
"""The actor where nobody asked."""

PREDICT, FEEDBACK, UPLOAD, RETRAIN, PROMOTE = "predict", "feedback", "upload", "retrain", "promote"
DECLINE = "decline"
IMAGE_RELEASED, IMAGE_DELETED = "image-released", "image-deleted"
SIGN_IN, SIGN_IN_REFUSED, SIGN_OUT, KEY_REFUSED = "sign-in", "sign-in-refused", "sign-out", "key-refused"
RESTORED = "restored"
BATCH, BATCH_DELETED = "batch", "batch-deleted"

log = logging.getLogger(__name__)


class AuditLog:
    """Appends events in groups, each group in one commit. Predictions bring theirs along in their own commit."""

    def __init__(self, database: Database) -> None:
        """Takes where events are kept; `start` begins to keep them."""
        self._database = database
        self._writer: GroupWriter[NewEvent, bool] = GroupWriter(self._commit, what="audit events")

    def start(self) -> None:
        """Begins to keep events."""
        self._writer.start()

    def close(self) -> None:
        """Keeps what waits, and closes the connections."""
        self._writer.close()
        self._database.close()

    @property
    def trouble(self) -> str | None:
        """Why events cannot be kept at present, in words; None where they can."""
        return self._writer.trouble

    async def record(self, event: NewEvent) -> bool:
        """Waits until an event is on disk; False where that was not possible in time, which the log then says."""
        is_kept = bool(await self._writer.write(event))
        if not is_kept:
            reason = f"{event.kind} by {event.actor} {event.subject}".rstrip()
            log.error("an event is missing in the audit log", extra={"reason": reason})
        return is_kept

    def _commit(self, group: Sequence[NewEvent]) -> Sequence[bool]:
        with self._database.writing() as connection:
            audit_log.append(connection, group)
        return [True] * len(group)


@dataclass(frozen=True)
class Verified:
    """A log that is what was written.

    Attributes:
        head: where it ends; noted elsewhere, it proves later that nothing before it was rewritten.
    """

    head: Head


def verify(database: Database, expected: Head | None = None) -> Verified:
    """Follows the chain from the first event to the last.

    Args:
        database: that keeps the log.
        expected: where the log ended at an earlier time, as someone noted it; it must still be a place in it.

    Raises:
        AuditLogBroken: it names the first event that is not what was written.
        DatabaseUnavailable: the database does not answer.
    """
    head = Head()
    with database.reading() as connection:
        audit_log.freeze(connection)
        says = audit_log.head_of(connection)
        for event in audit_log.events(connection):
            found = follow(head, [event])
            if isinstance(found, Break):
                raise AuditLogBroken(found.reason)
            head = found
            if expected is not None and head.sequence == expected.sequence and head != expected:
                raise AuditLogBroken(
                    f"event {head.sequence} is not the one whose hash was noted: the log was rewritten"
                )
    if expected is not None and head.sequence < expected.sequence:
        raise AuditLogBroken(f"event {head.sequence + 1} is missing: the log ended at {expected.sequence} once")
    if says is None:
        raise AuditLogBroken("the row that says where the log ends is missing")
    if head.sequence < says.sequence:
        raise AuditLogBroken(f"event {head.sequence + 1} is missing: the log ends at {says.sequence}")
    if head != says:
        raise AuditLogBroken(f"event {says.sequence + 1} was not written by hilum: the log ends before it")
    return Verified(head)


def note_restored(database: Database, made_at: datetime) -> None:
    """Marks where the log goes on after a backup was brought back, whose later events are gone.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    with database.writing() as connection:
        audit_log.append(connection, [NewEvent(RESTORED, "cli", made_at.isoformat(timespec="seconds"))])


def export(database: Database) -> Iterator[AuditEvent]:
    """Every event in the log's order.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    with database.reading() as connection:
        audit_log.freeze(connection)
        yield from audit_log.events(connection)
