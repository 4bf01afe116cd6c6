"""Reads and writes dataset snapshots. All of their SQL is here; knows no service."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter

from sqlalchemy import Connection, func, insert, select

from hilum.storage.database import take_time
from hilum.storage.dataset_tables import DatasetSnapshotRow


@dataclass(frozen=True)
class SnapshotImage:
    """An image of a snapshot: what a manifest's record says of it, without a path, and the blob that holds it."""

    sha256: str
    class_name: str
    group: str
    split: str
    source: str
    file_format: str
    width: int
    height: int
    mode: str
    size_bytes: int
    kept_sha256: str


_values_of = attrgetter(*(field.name for field in fields(SnapshotImage)))
"""As `dataclasses.astuple`, which copies deeply and takes forty times as long."""


@dataclass(frozen=True)
class Snapshot:
    """What a training run is frozen on.

    Attributes:
        digest: names it; equal contents, classes, splits and groups have the same.
        created_at: when it was first frozen.
        last_sequence: of the images that were there; what came later has a higher one.
        class_names: sorted.
        images: in the order of their sha256.
    """

    digest: str
    created_at: datetime
    last_sequence: int
    class_names: tuple[str, ...]
    images: tuple[SnapshotImage, ...]


def add(connection: Connection, snapshot: Snapshot) -> None:
    """Adds a snapshot whose digest is not there yet."""
    take_time(connection)
    connection.execute(
        insert(DatasetSnapshotRow).values(
            digest=snapshot.digest,
            created_at=snapshot.created_at,
            last_sequence=snapshot.last_sequence,
            n_images=len(snapshot.images),
            class_names=list(snapshot.class_names),
            rows=[_values_of(image) for image in snapshot.images],
        )
    )


def keep(connection: Connection, snapshot: Snapshot) -> Snapshot:
    """Adds a snapshot where there is none of its digest; the one that is there then."""
    found = find(connection, snapshot.digest)
    if found is None:
        add(connection, snapshot)
    return found or snapshot


def find(connection: Connection, digest: str) -> Snapshot | None:
    """One snapshot; None where there is none of this digest."""
    take_time(connection)
    statement = select(*DatasetSnapshotRow.__table__.c).where(DatasetSnapshotRow.digest == digest)
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    images = tuple(SnapshotImage(*fields) for fields in row.rows)
    return Snapshot(row.digest, row.created_at, row.last_sequence, tuple(row.class_names), images)


def newest_sequence(connection: Connection) -> int | None:
    """The last image that any snapshot saw; None where there is no snapshot."""
    return connection.execute(select(func.max(DatasetSnapshotRow.last_sequence))).scalar()


def blobs_in_use(connection: Connection) -> set[str]:
    """The kept copies of every image of every snapshot."""
    found: set[str] = set()
    for rows in connection.execute(select(DatasetSnapshotRow.rows)).scalars():
        found.update(SnapshotImage(*fields).kept_sha256 for fields in rows)
    return found
