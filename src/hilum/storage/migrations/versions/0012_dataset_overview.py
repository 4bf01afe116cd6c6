"""Indexes from which the labelled images are counted, so that looking at all of them reads few."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_COUNTED = ["status", "class_name", "split", "source", "group_name"]
_HAS_REASONS = sa.text("reasons <> '[]'")


def upgrade() -> None:
    """Adds an index that holds all that is counted, and one of the images that have a reason."""
    op.create_index(op.f("ix_labelled_images_status_class_name_split_source_group_name"), "labelled_images", _COUNTED)
    op.create_index(
        "ix_labelled_images_with_reasons", "labelled_images", ["status", "sequence"],
        sqlite_where=_HAS_REASONS, postgresql_where=_HAS_REASONS,
    )  # fmt: skip


def downgrade() -> None:
    """Drops the indexes."""
    op.drop_index("ix_labelled_images_with_reasons", "labelled_images")
    op.drop_index(op.f("ix_labelled_images_status_class_name_split_source_group_name"), "labelled_images")
