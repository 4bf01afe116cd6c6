"""Labelled images: upload batches, the images, dataset snapshots, and which feedback has joined them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "upload_batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("actor", sa.String(40), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("duplicates", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("items", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload_batches")),
    )
    _make_labelled_images()
    op.create_table(
        "dataset_snapshots",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("n_images", sa.Integer(), nullable=False),
        sa.Column("class_names", _DOCUMENT, nullable=False),
        sa.Column("rows", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_dataset_snapshots")),
    )
    op.add_column("feedback", sa.Column("joined_class", sa.String(64), nullable=True))


def downgrade() -> None:
    """Drops the tables and what they hold."""
    op.drop_column("feedback", "joined_class")
    for table in ("dataset_snapshots", "labelled_images", "upload_batches"):
        op.drop_table(table)


def _make_labelled_images() -> None:
    op.create_table(
        "labelled_images",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("kept_sha256", sa.String(64), nullable=True),
        sa.Column("pixels_sha256", sa.String(64), nullable=True),
        sa.Column("class_name", sa.String(200), nullable=False),
        sa.Column("group_name", sa.String(100), nullable=False),
        sa.Column("split", sa.String(10), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("reasons", _DOCUMENT, nullable=False),
        sa.Column("added_at", _TIME, nullable=False),
        sa.Column("file_format", sa.String(20), nullable=False),
        sa.Column("mode", sa.String(40), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sketch", sa.LargeBinary(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labelled_images")),
        sa.UniqueConstraint("sequence", name=op.f("uq_labelled_images_sequence")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["upload_batches.id"], name=op.f("fk_labelled_images_batch_id_upload_batches")
        ),
    )
    op.create_index(op.f("ix_labelled_images_sha256"), "labelled_images", ["sha256"])
    op.create_index(op.f("ix_labelled_images_status_sequence"), "labelled_images", ["status", "sequence"])
    is_accepted = sa.text("status = 'accepted'")
    op.create_index(
        "uq_labelled_images_accepted", "labelled_images", ["sha256"],
        unique=True, sqlite_where=is_accepted, postgresql_where=is_accepted,
    )  # fmt: skip
