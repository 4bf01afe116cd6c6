"""Predictions as CSV for spreadsheets (RFC 4180). Knows rows, not where they come from."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable

from hilum.services.history import StoredPrediction

CSV_COLUMNS = (
    "id", "created_at", "predicted_class", "probability", "cancer_probability", "decision", "prediction_set",
    "warnings", "model_version", "latency_ms", "confirmed_class", "image_sha256", "probabilities",
)  # fmt: skip

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_header() -> str:
    """The first line."""
    return csv_lines([CSV_COLUMNS])


def csv_rows(predictions: Iterable[StoredPrediction]) -> str:
    """One line for each prediction."""
    return csv_lines(_cells(prediction) for prediction in predictions)


def csv_lines(rows: Iterable[Iterable[object]]) -> str:
    """Rows as text in which no cell is a formula and None is empty."""
    out = io.StringIO()
    csv.writer(out).writerows([["" if cell is None else _inert(str(cell)) for cell in row] for row in rows])
    return out.getvalue()


def _cells(stored: StoredPrediction) -> tuple[object, ...]:
    answer = stored.answer
    probabilities = answer.get("probabilities") or {}
    return (
        stored.id, stored.created_at.isoformat(), stored.predicted_class, probabilities.get(stored.predicted_class),
        answer.get("cancer_probability"), stored.decision, " ".join(answer.get("prediction_set") or ()),
        " ".join(answer.get("warnings") or ()), stored.model_version, stored.latency_ms, stored.confirmed_class,
        stored.image_sha256, json.dumps(probabilities, sort_keys=True),
    )  # fmt: skip


def _inert(cell: str) -> str:
    """Keeps a spreadsheet from computing a cell: class names and versions come from bundles and from people."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
