"""The tables hilum keeps its state in. Shapes only: reading and writing is the repositories' work."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name, since a migration can only drop what it can name."""

JSON_DOCUMENT = JSON().with_variant(JSONB(), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC. SQLite has no zones: there the text is UTC, and sorts as the times do."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses a time without a zone, whose meaning would depend on the machine.

        Raises:
            ValueError: it has none.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """A time with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Base(DeclarativeBase):
    """What all tables share."""

    metadata = MetaData(naming_convention=NAMING)


class ProvenanceRow(Base):
    """What answered: the bundle's file hashes, its preprocessing and the versions of the software, once each.

    Attributes:
        digest: sha256 of `document` in canonical JSON.
        document: see `hilum.services.provenance`.
    """

    __tablename__ = "provenances"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON_DOCUMENT)


class PredictionRow(Base):
    """One answered slice. Neither its file's name nor anything of its header is kept.

    Attributes:
        created_at: when it was answered.
        image_sha256: of the file's bytes as they were sent.
        kept_sha256: names the blob that holds the slice without anything else of its file; where it is null and
            `is_image_kept`, a blob named by `image_sha256` holds the file itself.
        statistics: of the input's grey values and size.
        answer: as the caller got it; what is searched for is repeated in columns.
        provenance_digest: what answered.
    """

    __tablename__ = "predictions"
    __table_args__ = (
        Index(None, "created_at", "id"),
        Index(None, "predicted_class", "created_at", "id"),
        Index(None, "decision", "created_at", "id"),
        Index(None, "model_version", "created_at", "id"),
        Index(None, "image_sha256"),
        Index(None, "kept_sha256"),
    )

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    image_sha256: Mapped[str] = mapped_column(String(64))
    is_image_kept: Mapped[bool]
    predicted_class: Mapped[str] = mapped_column(String(200))
    decision: Mapped[str] = mapped_column(String(20))
    model_version: Mapped[str] = mapped_column(String(200))
    latency_ms: Mapped[float] = mapped_column(Double)
    answer: Mapped[dict[str, Any]] = mapped_column(JSON_DOCUMENT)
    provenance_digest: Mapped[str] = mapped_column(ForeignKey("provenances.digest"))
    kept_sha256: Mapped[str | None] = mapped_column(String(64))
    statistics: Mapped[dict[str, Any] | None] = mapped_column(JSON_DOCUMENT)


class FeedbackRow(Base):
    """What a person confirmed a slice to show.

    Attributes:
        confirmed_class: a class of the model that answered, or a label it does not know yet.
        is_new_label: whether the model that answered does not know it.
        given_at: when it was last changed.
        joined_class: the class with which it was last taken among the labelled images; None where it was not yet.
    """

    __tablename__ = "feedback"

    prediction_id: Mapped[uuid.UUID] = mapped_column(
        Uuid, ForeignKey("predictions.id", ondelete="CASCADE"), primary_key=True
    )
    confirmed_class: Mapped[str] = mapped_column(String(64))
    is_new_label: Mapped[bool]
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)
    joined_class: Mapped[str | None] = mapped_column(String(64))


class ApiKeyRow(Base):
    """An API key. The key itself is shown once and not kept.

    Attributes:
        prefix: the key's public part, by which people name it.
        digest: sha256 of the whole key.
        name: what it is for, in its maker's words.
        role: see `hilum.services.keys.Role`.
        last_used_at: coarse; a request is not worth a write.
    """

    __tablename__ = "api_keys"
    __table_args__ = (UniqueConstraint("prefix"), UniqueConstraint("digest"))

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    prefix: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SessionRow(Base):
    """Someone signed in at the dashboard with a key; it ends with the key at the latest.

    Attributes:
        digest: sha256 of the cookie's value.
    """

    __tablename__ = "sessions"
    __table_args__ = (Index(None, "key_id"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[uuid.UUID] = mapped_column(Uuid, ForeignKey("api_keys.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AuditEventRow(Base):
    """One event of the audit log. Triggers refuse to change or delete it.

    Attributes:
        sequence: 1, 2, 3, … without a gap.
        actor: a key's prefix, or who acts without one.
        subject: what was acted on: an id that hilum made.
        digest: see `hilum.storage.audit_chain`.
    """

    __tablename__ = "audit_events"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(40))
    actor: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(200))
    details: Mapped[dict[str, str]] = mapped_column(JSON_DOCUMENT)
    previous_digest: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))


class AuditHeadRow(Base):
    """Where the audit log ends: one row, which whoever appends locks first."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))
