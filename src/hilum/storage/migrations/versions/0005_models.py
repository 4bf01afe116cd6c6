"""Registered models, and the names that point at them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0002"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "models",
        sa.Column("version", sa.String(128), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("code_version", sa.String(200), nullable=False),
        sa.Column("files", _DOCUMENT, nullable=False),
        sa.Column("manifest", _DOCUMENT, nullable=False),
        sa.Column("metrics", _DOCUMENT, nullable=True),
        sa.Column("card", sa.Text(), nullable=True),
        sa.Column("headline", _DOCUMENT, nullable=True),
        sa.Column("report", _DOCUMENT, nullable=True),
        sa.Column("parent_version", sa.String(128), nullable=True),
        sa.Column("run_id", sa.String(64), nullable=True),
        sa.Column("snapshot_digest", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_models")),
    )
    op.create_index(op.f("ix_models_created_at_version"), "models", ["created_at", "version"])
    op.create_table(
        "aliases",
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("version", sa.String(128), nullable=False),
        sa.Column("earlier", _DOCUMENT, nullable=False),
        sa.Column("moved_at", _TIME, nullable=False),
        sa.Column("moved_by", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_aliases")),
        sa.ForeignKeyConstraint(["version"], ["models.version"], name=op.f("fk_aliases_version_models")),
    )


def downgrade() -> None:
    """Drops the tables and what they hold."""
    op.drop_table("aliases")
    op.drop_table("models")
