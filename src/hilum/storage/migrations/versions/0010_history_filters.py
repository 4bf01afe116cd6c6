"""Indexes for the history's filters by decision and by model, so that they stay quick over millions of predictions."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_COLUMNS = ("decision", "model_version")


def upgrade() -> None:
    """Adds an index for each filter, in the order of pages."""
    for column in _COLUMNS:
        columns = [column, "created_at", "id"]
        op.create_index(op.f(f"ix_predictions_{column}_created_at_id"), "predictions", columns)


def downgrade() -> None:
    """Drops the indexes."""
    for column in _COLUMNS:
        op.drop_index(op.f(f"ix_predictions_{column}_created_at_id"), "predictions")
