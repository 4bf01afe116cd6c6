"""The table of automatic retraining: one row. Shapes only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from hilum.storage.tables import JSON_DOCUMENT, Base, UtcDateTime


class AutomationRow(Base):
    """When to retrain without being asked, and what came of it last.

    Attributes:
        settings: triggers and action; see `hilum.services.automation`.
        changed_at: when a person last changed them.
        holder, held_until: which server looks at the triggers at present.
        outcome: what the last look that found something due led to; None before the first.
    """

    __tablename__ = "automation"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON_DOCUMENT)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    holder: Mapped[str | None] = mapped_column(String(64))
    held_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[dict[str, Any] | None] = mapped_column(JSON_DOCUMENT)
