"""Automatic retraining: its one row."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "automation",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("settings", _DOCUMENT, nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.Column("holder", sa.String(64), nullable=True),
        sa.Column("held_until", _TIME, nullable=True),
        sa.Column("outcome", _DOCUMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_automation")),
    )


def downgrade() -> None:
    """Drops the table."""
    op.drop_table("automation")
