"""Reads and writes registered models and aliases. All of their SQL is here; knows no bundle and no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from hilum.storage.database import COUNTED
from hilum.storage.model_tables import AliasRow, ModelRow


@dataclass(frozen=True)
class ModelSummary:
    """What lists show of a model; the fields are those of `ModelRow`."""

    version: str
    created_at: datetime
    code_version: str
    headline: dict[str, Any] | None
    parent_version: str | None
    run_id: str | None
    snapshot_digest: str | None


@dataclass(frozen=True)
class ModelRecord(ModelSummary):
    """A model with its documents; the fields are those of `ModelRow`."""

    files: dict[str, str]
    manifest: dict[str, Any]
    metrics: dict[str, Any] | None
    card: str | None
    report: dict[str, Any] | None


@dataclass(frozen=True)
class Alias:
    """A name that points at a model; the fields are those of `AliasRow`."""

    name: str
    version: str
    earlier: tuple[str, ...]
    moved_at: datetime
    moved_by: str


_TABLE = ModelRow.__table__
_SUMMARY = tuple(_TABLE.c[name] for name in ModelSummary.__dataclass_fields__)


def add(connection: Connection, model: ModelRecord) -> bool:
    """Adds a model; False where one of this version is there."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(ModelRow).values(asdict(model))
    return connection.execute(statement.on_conflict_do_nothing(), execution_options=COUNTED).rowcount > 0


def find(connection: Connection, version: str) -> ModelRecord | None:
    """One model; None where there is none of this version."""
    row = connection.execute(select(*_TABLE.c).where(ModelRow.version == version)).one_or_none()
    return ModelRecord(**row._mapping) if row is not None else None


def find_all(connection: Connection) -> list[ModelSummary]:
    """Every model, the newest first."""
    statement = select(*_SUMMARY).order_by(ModelRow.created_at.desc(), ModelRow.version)
    return [ModelSummary(**row._mapping) for row in connection.execute(statement)]


def blobs_in_use(connection: Connection) -> set[str]:
    """The sha256 of every file of every model."""
    return {digest for files in connection.execute(select(ModelRow.files)).scalars() for digest in files.values()}


def find_alias(connection: Connection, name: str, *, to_move: bool = False) -> Alias | None:
    """Where an alias points; None where nowhere.

    Args:
        connection: of the caller's transaction.
        name: of the alias.
        to_move: nobody else may move it until the transaction ends.
    """
    statement = select(*AliasRow.__table__.c).where(AliasRow.name == name)
    if to_move:
        statement = statement.with_for_update()  # SQLite ignores it, and lets one transaction write at a time
    row = connection.execute(statement).one_or_none()
    return _alias(row) if row is not None else None


def find_aliases(connection: Connection) -> list[Alias]:
    """Every alias."""
    return [_alias(row) for row in connection.execute(select(*AliasRow.__table__.c).order_by(AliasRow.name))]


def point(connection: Connection, alias: Alias) -> None:
    """Makes an alias point somewhere, whether it did before or not."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = asdict(alias) | {"earlier": list(alias.earlier)}
    statement = dialect.insert(AliasRow).values(values)
    changed = {name: values[name] for name in values if name != "name"}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed))


def point_first(connection: Connection, alias: Alias) -> bool:
    """Makes an alias point somewhere unless it does already; False where it does."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = asdict(alias) | {"earlier": list(alias.earlier)}
    statement = dialect.insert(AliasRow).values(values).on_conflict_do_nothing()
    return connection.execute(statement, execution_options=COUNTED).rowcount > 0


def unpoint(connection: Connection, name: str) -> None:
    """Makes an alias point nowhere."""
    connection.execute(delete(AliasRow).where(AliasRow.name == name))


def _alias(row: Row[Any]) -> Alias:
    fields = dict(row._mapping)
    earlier: Sequence[str] = fields.pop("earlier")
    return Alias(**fields, earlier=tuple(earlier))
