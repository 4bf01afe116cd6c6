"""Predictions, what answered them, and what people said of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "provenances",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("document", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_provenances")),
    )
    op.create_table(
        "predictions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("image_sha256", sa.String(64), nullable=False),
        sa.Column("is_image_kept", sa.Boolean(), nullable=False),
        sa.Column("predicted_class", sa.String(200), nullable=False),
        sa.Column("decision", sa.String(20), nullable=False),
        sa.Column("model_version", sa.String(200), nullable=False),
        sa.Column("latency_ms", sa.Double(), nullable=False),
        sa.Column("answer", _DOCUMENT, nullable=False),
        sa.Column("provenance_digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_predictions")),
        sa.ForeignKeyConstraint(
            ["provenance_digest"], ["provenances.digest"], name=op.f("fk_predictions_provenance_digest_provenances")
        ),
    )
    op.create_index(op.f("ix_predictions_created_at_id"), "predictions", ["created_at", "id"])
    op.create_index(
        op.f("ix_predictions_predicted_class_created_at_id"), "predictions", ["predicted_class", "created_at", "id"]
    )
    op.create_index(op.f("ix_predictions_image_sha256"), "predictions", ["image_sha256"])
    op.create_table(
        "feedback",
        sa.Column("prediction_id", sa.Uuid(), nullable=False),
        sa.Column("confirmed_class", sa.String(64), nullable=False),
        sa.Column("is_new_label", sa.Boolean(), nullable=False),
        sa.Column("given_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", name=op.f("pk_feedback")),
        sa.ForeignKeyConstraint(
            ["prediction_id"], ["predictions.id"],
            name=op.f("fk_feedback_prediction_id_predictions"), ondelete="CASCADE",
        ),
    )  # fmt: skip


def downgrade() -> None:
    """Drops the tables and what they hold."""
    op.drop_table("feedback")
    op.drop_table("predictions")
    op.drop_table("provenances")
