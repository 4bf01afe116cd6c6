"""An index of the labelled images by their group, so that joining two groups reads their images and no others."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the index."""
    op.create_index(op.f("ix_labelled_images_group_name"), "labelled_images", ["group_name"])


def downgrade() -> None:
    """Drops the index."""
    op.drop_index(op.f("ix_labelled_images_group_name"), "labelled_images")
