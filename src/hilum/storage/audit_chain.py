"""How the audit log's events are chained: each event's hash covers the hash before it. Knows no database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

GENESIS = "0" * 64
"""What the first event names as the hash before it."""


@dataclass(frozen=True)
class NewEvent:
    """Something to write into the audit log. No patient data and no file names: ids that hilum made, and codes.

    Attributes:
        kind: what happened, such as `predict`.
        actor: who did it: a key's prefix, `open` where no key is needed, or `cli`.
        subject: what it was done to; empty where that says nothing.
        details: a few words more.
    """

    kind: str
    actor: str
    subject: str = ""
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditEvent:
    """An event in its place in the log; the fields are those of `AuditEventRow`."""

    sequence: int
    at: datetime
    kind: str
    actor: str
    subject: str
    details: dict[str, str]
    previous_digest: str
    digest: str


@dataclass(frozen=True)
class Head:
    """Where the log ends: the last event's number and hash; 0 and `GENESIS` where it is empty."""

    sequence: int = 0
    digest: str = GENESIS


@dataclass(frozen=True)
class Break:
    """The first place where the log is not what was written.

    Attributes:
        sequence: of the event at fault.
        reason: what is wrong with it, in words.
    """

    sequence: int
    reason: str


def chained(head: Head, at: datetime, events: Iterable[NewEvent]) -> list[AuditEvent]:
    """Puts events behind `head`, all at the same time."""
    found: list[AuditEvent] = []
    for event in events:
        sequence = head.sequence + 1
        digest = _digest(sequence, at, event, head.digest)
        found.append(
            AuditEvent(
                sequence, at, event.kind, event.actor, event.subject, dict(event.details), head.digest, digest
            )
        )  # fmt: skip
        head = Head(sequence, digest)
    return found


def follow(head: Head, events: Iterable[AuditEvent]) -> Head | Break:
    """Checks events that should stand behind `head`, in the log's order.

    Returns:
        The last event's place, or the first that is not what was written.
    """
    for event in events:
        expected = head.sequence + 1
        if event.sequence != expected:
            return Break(expected, f"event {expected} is missing; the next one found is {event.sequence}")
        if event.previous_digest != head.digest:
            return Break(expected, f"event {expected} does not follow the event before it")
        written = NewEvent(event.kind, event.actor, event.subject, event.details)
        if event.digest != _digest(event.sequence, event.at, written, head.digest):
            return Break(expected, f"event {expected} was changed")
        head = Head(event.sequence, event.digest)
    return head


def _digest(sequence: int, at: datetime, event: NewEvent, previous: str) -> str:
    """The sha256 of the hash before and the event in canonical JSON: sorted keys, no spaces, UTF-8."""
    document = {
        "sequence": sequence,
        "at": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "kind": event.kind,
        "actor": event.actor,
        "subject": event.subject,
        "details": event.details,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()
