"""Training runs, of which one at a time may be active, and the workers that take them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "training_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("mode", sa.String(10), nullable=False),
        sa.Column("policy", sa.String(10), nullable=False),
        sa.Column("note", sa.String(500), nullable=False),
        sa.Column("actor", sa.String(40), nullable=False),
        sa.Column("n_epochs", sa.Integer(), nullable=True),
        sa.Column("snapshot_digest", sa.String(64), nullable=False),
        sa.Column("n_images", sa.Integer(), nullable=False),
        sa.Column("parent_version", sa.String(200), nullable=True),
        sa.Column("model_version", sa.String(200), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("started_at", _TIME, nullable=True),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("stage", sa.String(40), nullable=True),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("seconds_left", sa.Double(), nullable=True),
        sa.Column("epochs", _DOCUMENT, nullable=False),
        sa.Column("report", _DOCUMENT, nullable=True),
        sa.Column("failure", sa.String(1000), nullable=True),
        sa.Column("cancel_requested_at", _TIME, nullable=True),
        sa.Column("active_slot", sa.Integer(), nullable=True),
        sa.Column("lease_owner", sa.String(100), nullable=True),
        sa.Column("lease_until", _TIME, nullable=True),
        sa.Column("n_attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_runs")),
        sa.UniqueConstraint("active_slot", name=op.f("uq_training_runs_active_slot")),
    )
    op.create_index(op.f("ix_training_runs_created_at_id"), "training_runs", ["created_at", "id"])
    op.create_table(
        "training_workers",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_training_workers")),
    )


def downgrade() -> None:
    """Drops the tables and what they hold."""
    op.drop_table("training_workers")
    op.drop_table("training_runs")
