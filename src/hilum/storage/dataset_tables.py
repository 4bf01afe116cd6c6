"""The tables of labelled images: what came in, what may be trained on, what a run was frozen on. Shapes only."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from hilum.storage.tables import JSON_DOCUMENT, Base, UtcDateTime

_IS_ACCEPTED = text("status = 'accepted'")

HAS_REASONS = text("reasons <> '[]'")
"""Said to the databases in the very words of the index, without which they do not see that it answers."""


class UploadBatchRow(Base):
    """Images that came in together, and what became of each.

    Attributes:
        source: `import`, `upload` or `feedback`.
        actor: who brought them, as the audit log names them.
        items: the report, an object for each file in the order they were sent.
    """

    __tablename__ = "upload_batches"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    source: Mapped[str] = mapped_column(String(20))
    actor: Mapped[str] = mapped_column(String(40))
    accepted: Mapped[int]
    duplicates: Mapped[int]
    quarantined: Mapped[int]
    refused: Mapped[int]
    items: Mapped[list[dict[str, Any]]] = mapped_column(JSON_DOCUMENT)


class LabelledImageRow(Base):
    """An image with a label. Its pixels are a blob of kind `labelled`; nothing else of its file is kept.

    Attributes:
        sequence: 1, 2, 3, … in the order of commits: what came later has a higher one.
        sha256: of the file as it was sent.
        kept_sha256: of the copy of its pixels, by which the blob is named; None where there can be none.
        pixels_sha256: of the decoded pixels; None where they cannot be decoded.
        split: `train`, or `test`, which nothing is ever trained on.
        status: `accepted`, `quarantined` or `deleted`. One content is accepted at most once.
        reasons: why it is quarantined or doubted: objects of `code` and `detail`.
        sketch, fingerprint: see `hilum.dataset.sketch` and `hilum.dataset.groups`; by them copies are recognised.
    """

    __tablename__ = "labelled_images"
    __table_args__ = (
        UniqueConstraint("sequence"),
        Index(None, "sha256"),
        Index(None, "group_name"),
        Index(None, "status", "sequence"),
        Index(None, "status", "class_name", "split", "source", "group_name"),  # all that is counted
        Index(
            "ix_labelled_images_with_reasons", "status", "sequence",
            sqlite_where=HAS_REASONS, postgresql_where=HAS_REASONS,
        ),
        Index(
            "uq_labelled_images_accepted", "sha256", unique=True,
            sqlite_where=_IS_ACCEPTED, postgresql_where=_IS_ACCEPTED,
        ),
    )  # fmt: skip

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    batch_id: Mapped[uuid.UUID] = mapped_column(Uuid, ForeignKey("upload_batches.id"))
    sha256: Mapped[str] = mapped_column(String(64))
    kept_sha256: Mapped[str | None] = mapped_column(String(64))
    pixels_sha256: Mapped[str | None] = mapped_column(String(64))
    class_name: Mapped[str] = mapped_column(String(200))
    group_name: Mapped[str] = mapped_column(String(100))
    split: Mapped[str] = mapped_column(String(10))
    source: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20))
    reasons: Mapped[list[dict[str, str]]] = mapped_column(JSON_DOCUMENT)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    file_format: Mapped[str] = mapped_column(String(20))
    mode: Mapped[str] = mapped_column(String(40))
    width: Mapped[int]
    height: Mapped[int]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sketch: Mapped[bytes | None] = mapped_column(LargeBinary)
    fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary)


class DatasetSnapshotRow(Base):
    """What a training run is frozen on.

    Attributes:
        digest: the manifest's, see `hilum.dataset.manifest.DatasetManifest.digest`.
        last_sequence: of the images that were there.
        rows: see `hilum.storage.dataset_snapshots`.
    """

    __tablename__ = "dataset_snapshots"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_sequence: Mapped[int] = mapped_column(BigInteger)
    n_images: Mapped[int]
    class_names: Mapped[list[str]] = mapped_column(JSON_DOCUMENT)
    rows: Mapped[list[list[Any]]] = mapped_column(JSON_DOCUMENT)
