"""The results of a batch as files: CSV for spreadsheets, and a JSON object a line. Knows rows, not their origin."""

from __future__ import annotations

import json
from collections.abc import Iterable

from hilum.services.batches import StoredResult
from hilum.web.batch_schemas import ResultAnswer
from hilum.web.tables import csv_lines

RESULT_COLUMNS = (
    "index", "image_sha256", "status", "predicted_class", "probability", "cancer_probability", "decision",
    "prediction_set", "warnings", "model_version", "problem", "detail", "probabilities",
)  # fmt: skip


def result_answer(stored: StoredResult) -> ResultAnswer:
    """A result as clients see it."""
    name = "result" if stored.status == 200 else "problem"
    return ResultAnswer.model_validate(
        {
            "index": stored.item_index,
            "image_sha256": stored.image_sha256,
            "status": stored.status,
            name: stored.answer,
        }
    )


def json_line(stored: StoredResult, file: str | None = None) -> str:
    """A JSON object and a line's end; with what the file is called, where the reader knows that."""
    told = result_answer(stored).model_dump(mode="json")
    return json.dumps(({"file": file} if file is not None else {}) | told, ensure_ascii=False) + "\n"


def json_lines(results: Iterable[StoredResult]) -> str:
    """A JSON object a line."""
    return "".join(map(json_line, results))


def results_header(*, with_file: bool = False) -> str:
    """The first line of the CSV."""
    return csv_lines([(*(("file",) if with_file else ()), *RESULT_COLUMNS)])


def results_csv(results: Iterable[StoredResult], file: str | None = None) -> str:
    """One line of CSV for each result; no cell is a formula."""
    return csv_lines((*((file,) if file is not None else ()), *_cells(result)) for result in results)


def _cells(stored: StoredResult) -> tuple[object, ...]:
    said = stored.answer
    probabilities = said.get("probabilities") or {}
    return (
        stored.item_index, stored.image_sha256, stored.status, said.get("predicted_class"),
        probabilities.get(said.get("predicted_class")), said.get("cancer_probability"), said.get("decision"),
        " ".join(said.get("prediction_set") or ()), " ".join(said.get("warnings") or ()), said.get("model_version"),
        said.get("code"), said.get("detail"), json.dumps(probabilities, sort_keys=True) if probabilities else None,
    )  # fmt: skip
