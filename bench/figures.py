"""Summaries of measured numbers, and how they are shown and kept. Measures nothing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from bench.machine import RESULTS, summary


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the least value that `share` percent of the values do not exceed.

    Raises:
        ValueError: there are no values, or `share` is not in (0, 100].
    """
    if not values or not 0 < share <= 100:
        raise ValueError(f"no {share:g}th percentile of {len(values)} values")
    return sorted(values)[math.ceil(share / 100 * len(values)) - 1]


def spread(values: Sequence[float], digits: int = 1) -> dict[str, float | int]:
    """Median, mean, least and greatest of repeated measurements."""
    return {
        "median": round(median(values), digits),
        "mean": round(fmean(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
        "n": len(values),
    }


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table, its columns aligned so that it also reads in a terminal."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    is_number = [bool(rows) and all(_looks_numeric(row[column]) for row in cells[1:]) for column in range(len(header))]
    lines = []
    for row in cells:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, is_number, strict=True)
        )
        lines.append(f"| {' | '.join(padded)} |")
    rule = (f"{'-' * (width - 1)}:" if right else "-" * width for width, right in zip(widths, is_number, strict=True))
    lines.insert(1, f"| {' | '.join(rule)} |")
    return "\n".join(lines)


def report(program: str, machine: dict[str, Any], results: dict[str, Any], shown: str, out: Path | None) -> None:
    """Prints the tables and writes the figures as JSON.

    Args:
        program: which measured.
        machine: of `machine.description()`, taken before measuring.
        results: the figures.
        shown: the same as tables.
        out: the JSON file; by default one in `bench/results`.
    """
    stamp = machine["made_at"].replace(":", "").replace("+0000", "Z")
    out = out or RESULTS / f"{program}-{stamp}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"program": program, "machine": machine, "results": results}, indent=2) + "\n")
    print(f"{summary(machine)}\n\n{shown}\n\nwritten to {out}")


def _looks_numeric(cell: str) -> bool:
    return re.fullmatch(r"-?[\d,]*\.?\d+ ?%?", cell) is not None
