"""Reads and writes predictions. All of their SQL is here; knows no service."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from hilum.storage.tables import FeedbackRow, PredictionRow, ProvenanceRow

_AT_ONCE = 500


@dataclass(frozen=True)
class StoredPrediction:
    """A prediction as it is kept; the fields are those of `PredictionRow`.

    Attributes:
        kept_sha256: of the kept copy of the image; None where none is kept, or it is the file itself, as before 0.1.
        statistics: what describes the input; None where it was not stored.
        confirmed_class: what a person said the slice shows; None where nobody did.
    """

    id: uuid.UUID
    created_at: datetime
    image_sha256: str
    is_image_kept: bool
    predicted_class: str
    decision: str
    model_version: str
    latency_ms: float
    answer: dict[str, Any]
    provenance_digest: str
    kept_sha256: str | None = None
    statistics: dict[str, float] | None = None
    confirmed_class: str | None = None


@dataclass(frozen=True)
class PredictionFilter:
    """Which predictions are meant; None means any.

    Attributes:
        since, until: bounds on `created_at`, the first included, the last not.
        confirmed_class: what a person confirmed.
        feedback: `none` was given, or it `agrees` with the answer or `differs`.
        search: how the id or the image's sha256 begins, in hexadecimal digits.
    """

    predicted_class: str | None = None
    decision: str | None = None
    model_version: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    confirmed_class: str | None = None
    feedback: Literal["none", "agrees", "differs"] | None = None
    search: str | None = None


Place = tuple[datetime, uuid.UUID]
"""Where a prediction stands in the order of time; the id decides between equal times."""

_TABLE = PredictionRow.__table__
_NAMES = tuple(column.name for column in _TABLE.c)
_ADD = PredictionRow.metadata.tables["predictions"].insert()
_COLUMNS = (*_TABLE.c, FeedbackRow.confirmed_class)


def add_provenance(connection: Connection, digest: str, document: dict[str, Any]) -> None:
    """Keeps a provenance, where it is not kept already."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(ProvenanceRow).values(digest=digest, document=document)
    connection.execute(statement.on_conflict_do_nothing())


def find_provenance(connection: Connection, digest: str) -> dict[str, Any] | None:
    """A provenance's document."""
    return connection.execute(select(ProvenanceRow.document).where(ProvenanceRow.digest == digest)).scalar()


def add(connection: Connection, predictions: Sequence[StoredPrediction]) -> None:
    """Adds predictions whose provenance is kept."""
    connection.execute(_ADD, [{name: getattr(prediction, name) for name in _NAMES} for prediction in predictions])


def find(connection: Connection, prediction_id: uuid.UUID) -> StoredPrediction | None:
    """One prediction; None where there is none of this id."""
    row = connection.execute(_selected().where(PredictionRow.id == prediction_id)).one_or_none()
    return _prediction(row) if row is not None else None


def page(
    connection: Connection, wanted: PredictionFilter, *, before: Place | None, limit: int
) -> list[StoredPrediction]:
    """The newest `limit` predictions that are wanted and older than `before`, the newest first.

    By key and not by offset, so that what is added meanwhile moves nothing.
    """
    statement = _filtered(_selected(), wanted)
    if before is not None:
        place = tuple_(literal(before[0], _TABLE.c.created_at.type), literal(before[1], _TABLE.c.id.type))
        statement = statement.where(tuple_(PredictionRow.created_at, PredictionRow.id) < place)
    statement = statement.order_by(PredictionRow.created_at.desc(), PredictionRow.id.desc()).limit(limit)
    return [_prediction(row) for row in connection.execute(statement)]


def recent_inputs(connection: Connection, limit: int) -> list[tuple[datetime, str, str, dict[str, float]]]:
    """Time, model version, predicted class and statistics of the newest `limit` predictions that have any."""
    statement = (
        select(
            PredictionRow.created_at,
            PredictionRow.model_version,
            PredictionRow.predicted_class,
            PredictionRow.statistics,
        )
        .order_by(PredictionRow.created_at.desc(), PredictionRow.id.desc())
        .limit(limit)
    )
    return [(row[0], row[1], row[2], row[3]) for row in connection.execute(statement) if row[3]]


def unlabelled(connection: Connection, *, limit: int) -> list[StoredPrediction]:
    """The newest predictions with a kept image that nobody has confirmed a class of."""
    statement = _selected().where(PredictionRow.is_image_kept, FeedbackRow.prediction_id.is_(None))
    statement = statement.order_by(PredictionRow.created_at.desc(), PredictionRow.id.desc()).limit(limit)
    return [_prediction(row) for row in connection.execute(statement)]


def delete_until(connection: Connection, until: datetime, *, limit: int) -> int:
    """Deletes up to `limit` predictions made before `until`, the oldest first, with their feedback.

    Returns:
        How many were deleted.
    """
    oldest = (
        select(PredictionRow.id)
        .where(PredictionRow.created_at < until)
        .order_by(PredictionRow.created_at, PredictionRow.id)
        .limit(limit)
    )
    ids = connection.execute(oldest).scalars().all()
    if ids:
        connection.execute(delete(PredictionRow).where(PredictionRow.id.in_(ids)))
    return len(ids)


def images_in_use(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Those of `digests` under which a prediction's image is kept."""
    found: set[str] = set()
    copy, itself = PredictionRow.kept_sha256, PredictionRow.image_sha256
    for start in range(0, len(digests), _AT_ONCE):
        some = digests[start : start + _AT_ONCE]
        copies = select(copy).distinct().where(copy.in_(some))
        files = select(itself).distinct().where(itself.in_(some), PredictionRow.is_image_kept, copy.is_(None))
        for statement in (copies, files):
            found.update(digest for digest in connection.execute(statement).scalars() if digest is not None)
    return found


def files_kept_whole(connection: Connection, *, after: str, limit: int) -> list[str]:
    """The sha256 of the first `limit` files behind `after` that are kept as they were sent, in their order."""
    itself = PredictionRow.image_sha256
    statement = select(itself).distinct().where(PredictionRow.is_image_kept, PredictionRow.kept_sha256.is_(None))
    return list(connection.execute(statement.where(itself > after).order_by(itself).limit(limit)).scalars())


def keep_copy_instead(connection: Connection, image_sha256: str, kept_sha256: str | None) -> None:
    """Names the copy that is kept instead of a file as it was sent; None: nothing is kept any more."""
    is_whole = (PredictionRow.image_sha256 == image_sha256, PredictionRow.kept_sha256.is_(None))
    values = {"kept_sha256": kept_sha256, "is_image_kept": kept_sha256 is not None}
    connection.execute(update(PredictionRow).where(*is_whole).values(values))


def kept_copies(connection: Connection, digests: Sequence[str]) -> dict[str, str]:
    """The name of the kept image of each file of these sha256; those of which none is kept are left out."""
    found: dict[str, str] = {}
    for start in range(0, len(digests), _AT_ONCE):
        kept = func.max(func.coalesce(PredictionRow.kept_sha256, PredictionRow.image_sha256))
        among = (PredictionRow.image_sha256.in_(digests[start : start + _AT_ONCE]), PredictionRow.is_image_kept)
        statement = select(PredictionRow.image_sha256, kept).where(*among).group_by(PredictionRow.image_sha256)
        found.update((sha256, copy) for sha256, copy in connection.execute(statement))
    return found


def is_empty(connection: Connection) -> bool:
    """Whether no prediction is kept."""
    return connection.execute(select(PredictionRow.id).limit(1)).first() is None


def _selected() -> Select[Any]:
    return select(*_COLUMNS).outerjoin(FeedbackRow, FeedbackRow.prediction_id == PredictionRow.id)


def _filtered(statement: Select[Any], wanted: PredictionFilter) -> Select[Any]:
    for column, value in (
        (PredictionRow.predicted_class, wanted.predicted_class),
        (PredictionRow.decision, wanted.decision),
        (PredictionRow.model_version, wanted.model_version),
        (FeedbackRow.confirmed_class, wanted.confirmed_class),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.since is not None:
        statement = statement.where(PredictionRow.created_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(PredictionRow.created_at < wanted.until)
    if wanted.feedback is not None:
        statement = statement.where(_FEEDBACK[wanted.feedback])
    if wanted.search is not None:
        statement = statement.where(_begins(wanted.search))
    return statement


_FEEDBACK = {
    "none": FeedbackRow.confirmed_class.is_(None),
    "agrees": FeedbackRow.confirmed_class == PredictionRow.predicted_class,
    "differs": FeedbackRow.confirmed_class != PredictionRow.predicted_class,
}


def _begins(digits: str) -> ColumnElement[bool]:
    """Ids and hashes that begin with `digits`: as ranges, which an index answers."""
    low, high = digits.ljust(32, "0"), digits.ljust(32, "f")
    by_hash = PredictionRow.image_sha256.between(digits, digits.ljust(64, "f"))
    if len(digits) > 32:
        return by_hash
    return or_(PredictionRow.id.between(uuid.UUID(low), uuid.UUID(high)), by_hash)


def _prediction(row: Row[Any]) -> StoredPrediction:
    return StoredPrediction(**row._mapping)
