"""Batches, their chunks and results, and the processes that score them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_TIME = sa.DateTime(timezone=True)
_IS_ACTIVE = sa.text("status IN ('queued', 'running')")


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("note", sa.String(500), nullable=False),
        sa.Column("actor", sa.String(40), nullable=False),
        sa.Column("model_version", sa.String(200), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("started_at", _TIME, nullable=True),
        sa.Column("ended_at", _TIME, nullable=True),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("n_items", "n_chunks", "n_answered", "n_refused", "n_chunks_queued", "n_chunks_done")
        ),
        sa.Column("failure", sa.String(1000), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    op.create_index(op.f("ix_batches_created_at_id"), "batches", ["created_at", "id"])
    op.create_index(
        "ix_batches_active", "batches", ["created_at"], sqlite_where=_IS_ACTIVE, postgresql_where=_IS_ACTIVE
    )
    op.create_table(
        "batch_chunks",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_index", sa.Integer(), nullable=False),
        sa.Column("items", _DOCUMENT, nullable=False),
        sa.Column("pack_sha256", sa.String(64), nullable=True),
        sa.Column("n_attempts", sa.Integer(), nullable=False),
        sa.Column("done_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("batch_id", "number", name=op.f("pk_batch_chunks")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_batch_chunks_batch_id_batches"), ondelete="CASCADE"
        ),
    )
    op.create_table(
        "batch_results",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("item_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("image_sha256", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "item_index", name=op.f("pk_batch_results")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_batch_results_batch_id_batches"), ondelete="CASCADE"
        ),
    )
    op.create_table(
        "batch_workers",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_batch_workers")),
    )


def downgrade() -> None:
    """Drops the tables and what they hold."""
    for table in ("batch_workers", "batch_results", "batch_chunks", "batches"):
        op.drop_table(table)
