"""The tables of training runs and of the workers that take them. Shapes only."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Double, Index, String, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from hilum.storage.tables import JSON_DOCUMENT, Base, UtcDateTime


class TrainingRunRow(Base):
    """A training run: asked for, under way or ended.

    Attributes:
        status: see `hilum.services.training_run.RunStatus`.
        mode: `head` or `full`.
        policy: who decides on a promotion: `auto`, `approve` or `manual`.
        n_epochs: asked for; None takes the mode's default.
        n_images: that the snapshot lets it learn from.
        stage, progress, seconds_left: where it stands, and its share done (0..1).
        epochs: each with `epoch`, `loss`, `accuracy` and, with slices held out, `val_*`.
        report: of the comparison with the champion.
        failure: why it failed, in words.
        active_slot: 1 while it is queued or running, else NULL; being unique, it lets one run be so.
        lease_owner, lease_until: the worker that has it, and until when unless that renews.
        n_attempts: how often a worker began or went on with it.
    """

    __tablename__ = "training_runs"
    __table_args__ = (UniqueConstraint("active_slot"), Index(None, "created_at", "id"))

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    status: Mapped[str] = mapped_column(String(20))
    mode: Mapped[str] = mapped_column(String(10))
    policy: Mapped[str] = mapped_column(String(10))
    note: Mapped[str] = mapped_column(String(500))
    actor: Mapped[str] = mapped_column(String(40))
    n_epochs: Mapped[int | None]
    snapshot_digest: Mapped[str] = mapped_column(String(64))
    n_images: Mapped[int]
    parent_version: Mapped[str | None] = mapped_column(String(200))
    model_version: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stage: Mapped[str | None] = mapped_column(String(40))
    progress: Mapped[float] = mapped_column(Double)
    seconds_left: Mapped[float | None] = mapped_column(Double)
    epochs: Mapped[list[dict[str, float]]] = mapped_column(JSON_DOCUMENT)
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON_DOCUMENT)
    failure: Mapped[str | None] = mapped_column(String(1000))
    cancel_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    active_slot: Mapped[int | None]
    lease_owner: Mapped[str | None] = mapped_column(String(100))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    n_attempts: Mapped[int]


class TrainingWorkerRow(Base):
    """A worker that takes runs, as it last said of itself.

    Attributes:
        name: of its machine and process.
    """

    __tablename__ = "training_workers"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
