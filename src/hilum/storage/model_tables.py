"""The tables of the registry: bundles and the names that point at them. Shapes only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hilum.storage.tables import JSON_DOCUMENT, Base, UtcDateTime


class ModelRow(Base):
    """A registered bundle, which never changes.

    Attributes:
        version: the bundle's unique name.
        created_at: when it was registered.
        code_version: the commit that made it.
        files: sha256 of each of its files, its manifest too; blobs of these names hold them.
        manifest, metrics, card: what is in the files of these names, to be shown without them.
        headline: the few figures that lists show; None where the bundle was not measured.
        report: how it compared with the champion of its time; None where it was not compared.
        parent_version: the model it was trained from.
        run_id: the training run that made it.
        snapshot_digest: the snapshot it was trained on.
    """

    __tablename__ = "models"
    __table_args__ = (Index(None, "created_at", "version"),)

    version: Mapped[str] = mapped_column(String(128), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    code_version: Mapped[str] = mapped_column(String(200))
    files: Mapped[dict[str, str]] = mapped_column(JSON_DOCUMENT)
    manifest: Mapped[dict[str, Any]] = mapped_column(JSON_DOCUMENT)
    metrics: Mapped[dict[str, Any] | None] = mapped_column(JSON_DOCUMENT)
    card: Mapped[str | None] = mapped_column(Text)
    headline: Mapped[dict[str, Any] | None] = mapped_column(JSON_DOCUMENT)
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON_DOCUMENT)
    parent_version: Mapped[str | None] = mapped_column(String(128))
    run_id: Mapped[str | None] = mapped_column(String(64))
    snapshot_digest: Mapped[str | None] = mapped_column(String(64))


class AliasRow(Base):
    """A name that points at a model.

    Attributes:
        name: `champion` or `challenger`.
        earlier: what it pointed at before, the newest last; rollback goes back along it.
        moved_by: as the audit log names who moves it.
    """

    __tablename__ = "aliases"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    version: Mapped[str] = mapped_column(String(128), ForeignKey("models.version"))
    earlier: Mapped[list[str]] = mapped_column(JSON_DOCUMENT)
    moved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    moved_by: Mapped[str] = mapped_column(String(40))
