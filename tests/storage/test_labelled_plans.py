"""Labelled images are counted and found from indexes on both databases: not all rows, of 8 kB each, are read for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hilum.storage import labelled_counts, labelled_images, schema
from hilum.storage.database import Database
from labelled_samples import many, opened_datasets

_COUNTED = "ix_labelled_images_status_class_name_split_source_group_name"
_REASONED = "ix_labelled_images_with_reasons"
_GROUPED = "ix_labelled_images_group_name"

ASKED: dict[str, tuple[str, Callable[[sa.Connection], Any]]] = {
    "distribution": (_COUNTED, labelled_counts.counts),
    "groups": (_COUNTED, lambda connection: labelled_counts.group_counts(connection, "train")),
    "reasons": (_REASONED, lambda connection: labelled_counts.reason_counts(connection, "accepted")),
    "examples": (_REASONED, lambda connection: labelled_images.with_reasons(connection, "quarantined", limit=9)),
    "joined groups": (_GROUPED, lambda connection: labelled_images.join_groups(connection, {"one": "other"})),
}


@pytest.mark.parametrize("asked", ASKED)
def test_what_is_counted_or_renamed_has_its_index(asked: str, database: Database) -> None:
    index, ask = ASKED[asked]
    told: list[tuple[str, Any]] = []
    is_sqlite = database.engine.dialect.name == "sqlite"
    with database.reading() as connection:
        if not is_sqlite:  # an empty table is read whole unless that is forbidden
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            told.append((statement, parameters))

        sa.event.listen(database.engine, "before_cursor_execute", note)
        ask(connection)
        statement, parameters = told[0]
        explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
        plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"{explain} {statement}", parameters))
    assert index in plan
    if index == _COUNTED:
        assert "COVERING INDEX" in plan or "Index Only Scan" in plan
    elif is_sqlite:
        assert "TEMP B-TREE" not in plan


def test_the_indexes_go_and_come_with_their_revision(database_url: str, tmp_path: Path) -> None:
    with opened_datasets(database_url, tmp_path / "blobs") as datasets:
        datasets.add([*many(0, 2), *many(0, 1, split="test")], source="import")  # the two are copies: refused
        before = datasets.overview()
        database = Database(database_url)
        schema.downgrade(database, "0011")
        assert not {_COUNTED, _REASONED, _GROUPED} & _indexes(database)
        assert datasets.overview() == before
        schema.upgrade(database)
        assert {_COUNTED, _REASONED, _GROUPED} <= _indexes(database)
        assert datasets.overview() == before
        database.close()


def _indexes(database: Database) -> set[str | None]:
    with database.reading() as connection:
        return {index["name"] for index in sa.inspect(connection).get_indexes("labelled_images")}
