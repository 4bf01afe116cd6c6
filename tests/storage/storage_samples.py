"""Predictions to store."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hilum.storage.database import Database
from hilum.storage.predictions import StoredPrediction, add, add_provenance

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
PROVENANCE = "a" * 64


def prediction(number: int = 0, **changes: Any) -> StoredPrediction:
    """Prediction `number`, made `number` seconds after noon."""
    made = StoredPrediction(
        id=uuid.UUID(int=number + 1),
        created_at=NOON + timedelta(seconds=number),
        image_sha256=hashlib.sha256(str(number).encode()).hexdigest(),
        is_image_kept=True,
        predicted_class="normal" if number % 2 else "adenocarcinoma",
        decision="review" if number % 3 else "confident",
        model_version="tiny-1",
        latency_ms=7.25,
        answer={"probabilities": {"normal": 0.125, "adenocarcinoma": 0.875}, "warnings": ["größe"]},
        provenance_digest=PROVENANCE,
    )
    return replace(made, **changes)


def keep(database: Database, *predictions: StoredPrediction) -> None:
    """Adds predictions to `database`."""
    with database.writing() as connection:
        add_provenance(connection, PROVENANCE, {"model": {"version": "tiny-1"}})
        add(connection, predictions)


def keep_twenty(url: str, first: int) -> None:
    """Adds predictions one by one, from a process of its own."""
    database = Database(url)
    for number in range(first, first + 20):
        keep(database, prediction(number))
    database.close()
