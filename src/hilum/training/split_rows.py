"""What training found under other splits and on other data sets, as `training.json` keeps it. Measures nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hilum.evaluation import Figure


@dataclass(frozen=True)
class SplitRow:
    """What the same recipe scores under one way of splitting; `note` says what that way tells and hides."""

    name: str
    n: int
    accuracy: Figure
    macro_f1: Figure
    note: str


@dataclass(frozen=True)
class ExternalRow:
    """Cancer against no cancer on another data set."""

    name: str
    n: int
    auroc: Figure
    sensitivity: Figure
    specificity: Figure
    note: str


@dataclass(frozen=True)
class SplitRows:
    """The rows of `training.json`; both are empty in bundles that were not cross-validated."""

    split_truth: tuple[SplitRow, ...]
    external: tuple[ExternalRow, ...]

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> SplitRows:
        """Reads the keys `split_truth` and `external` of the training record."""
        return cls(
            tuple(
                SplitRow(row["name"], row["n"], _figure(row, "accuracy"), _figure(row, "macro_f1"), row["note"])
                for row in record.get("split_truth") or ()
            ),
            tuple(
                ExternalRow(
                    row["name"],
                    row["n"],
                    _figure(row, "auroc"),
                    _figure(row, "sensitivity"),
                    _figure(row, "specificity"),
                    row["note"],
                )
                for row in record.get("external") or ()
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """The two keys of the training record; `read` is the inverse."""
        return asdict(self)


def _figure(row: Mapping[str, Any], name: str) -> Figure:
    figure = row[name]
    return Figure(figure["value"], figure["low"], figure["high"], figure.get("n", row["n"]))
