"""The tables of batches: what is to be scored, in chunks, what came of each image, and who scores. Shapes only."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from hilum.storage.tables import JSON_DOCUMENT, Base, UtcDateTime

_IS_ACTIVE = text("status IN ('queued', 'running')")


class BatchRow(Base):
    """Many images that are scored by one model.

    Attributes:
        status: `receiving`, `queued`, `running`, `done`, `failed` or `cancelled`.
        model_version: that scores all of it, whatever is promoted meanwhile.
        n_items, n_chunks: images, and groups of them that a worker takes at a time.
        n_answered, n_refused: images with a result, and with a problem.
        n_chunks_queued, n_chunks_done: chunks handed to the queue, and chunks of which every image is scored.
        failure: why it failed, in words.
    """

    __tablename__ = "batches"
    __table_args__ = (
        Index(None, "created_at", "id"),
        Index("ix_batches_active", "created_at", sqlite_where=_IS_ACTIVE, postgresql_where=_IS_ACTIVE),
    )

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    status: Mapped[str] = mapped_column(String(20))
    note: Mapped[str] = mapped_column(String(500))
    actor: Mapped[str] = mapped_column(String(40))
    model_version: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    n_items: Mapped[int]
    n_chunks: Mapped[int]
    n_answered: Mapped[int]
    n_refused: Mapped[int]
    n_chunks_queued: Mapped[int]
    n_chunks_done: Mapped[int]
    failure: Mapped[str | None] = mapped_column(String(1000))


class BatchChunkRow(Base):
    """Some images of a batch, next to one another.

    Attributes:
        number: 0, 1, 2, … within its batch.
        first_index: of its first image within its batch.
        items: an object for each image: `sha256` of the file, and either its `size` in the pack or the name `kept` of a
            kept image.
        pack_sha256: names the blob with the files, one behind the other; None where all images are kept ones.
        n_attempts: how often a worker began with it.
        done_at: when every image of it was scored.
    """

    __tablename__ = "batch_chunks"

    batch_id: Mapped[uuid.UUID] = mapped_column(Uuid, ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_index: Mapped[int]
    items: Mapped[list[dict[str, Any]]] = mapped_column(JSON_DOCUMENT)
    pack_sha256: Mapped[str | None] = mapped_column(String(64))
    n_attempts: Mapped[int]
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class BatchResultRow(Base):
    """What came of one image. The key lets it be scored once, whoever scores it how often.

    Attributes:
        status: 200, or that of the problem.
        answer: the result, or the problem.
    """

    __tablename__ = "batch_results"

    batch_id: Mapped[uuid.UUID] = mapped_column(Uuid, ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True)
    item_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    image_sha256: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    answer: Mapped[dict[str, Any]] = mapped_column(JSON_DOCUMENT)


class BatchWorkerRow(Base):
    """A process that scores, as it last said of itself. What one that is silent for long had begun goes to others."""

    __tablename__ = "batch_workers"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
