"""Names of kept copies, and what describes an input, with each prediction."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Adds the columns; images kept before stay as they are, under the hash of their files."""
    op.add_column("predictions", sa.Column("kept_sha256", sa.String(64), nullable=True))
    op.add_column("predictions", sa.Column("statistics", _DOCUMENT, nullable=True))
    op.create_index(op.f("ix_predictions_kept_sha256"), "predictions", ["kept_sha256"])


def downgrade() -> None:
    """Drops the columns; kept copies are then swept as images that no prediction keeps."""
    op.drop_index(op.f("ix_predictions_kept_sha256"), "predictions")
    op.drop_column("predictions", "statistics")
    op.drop_column("predictions", "kept_sha256")
