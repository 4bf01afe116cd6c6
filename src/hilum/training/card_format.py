"""Figures and tables as Markdown. Knows no model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hilum.evaluation import Figure


def interval(figure: Figure) -> str:
    """A figure with its interval in brackets."""
    if figure.value is None:
        return "undefined"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
