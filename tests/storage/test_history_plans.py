"""The history's filters are answered from an index in the order of pages: none reads or sorts all predictions."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hilum.storage.database import Database
from hilum.storage.predictions import PredictionFilter, page
from hilum.storage.schema import upgrade

FILTERS = {
    "created_at_id": PredictionFilter(),
    "predicted_class_created_at_id": PredictionFilter(predicted_class="normal"),
    "decision_created_at_id": PredictionFilter(decision="review"),
    "model_version_created_at_id": PredictionFilter(model_version="unknown", until=datetime(2026, 1, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize("index", FILTERS)
def test_a_filter_has_its_index(index: str, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'hilum.db'}")
    upgrade(database)
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    with database.reading() as connection:
        sa.event.listen(database.engine, "before_cursor_execute", note)
        page(connection, FILTERS[index], before=None, limit=50)
        statement, parameters = asked[0]
        plan = " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters))
    database.close()
    assert f"ix_predictions_{index}" in plan
    assert "TEMP B-TREE" not in plan
