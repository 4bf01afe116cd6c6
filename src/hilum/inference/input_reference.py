"""What a model's training inputs were like, in a few numbers that travel in its bundle. Knows no recent input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hilum.errors import BundleInvalid

INPUTS = "inputs.json"
QUANTILES = 101
"""Of each statistic: 0 %, 1 %, ..., 100 %."""


class InputReference(BaseModel):
    """The contents of `inputs.json`.

    Attributes:
        n: training slices described.
        statistics: by name (`hilum.imaging.statistics`), the percentiles 0 to 100 of each.
        predicted_classes: by class, the share of those slices that the model itself puts there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = Field(default=1, ge=1, le=1)
    n: int = Field(ge=1)
    statistics: dict[str, tuple[float, ...]]
    predicted_classes: dict[str, float]

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        for name, values in self.statistics.items():
            if len(values) != QUANTILES or not np.isfinite(values).all() or (np.diff(values) < 0).any():
                raise ValueError(f"{name} is not {QUANTILES} percentiles in ascending order")
        if not np.isclose(sum(self.predicted_classes.values()), 1, atol=1e-3):
            raise ValueError("the shares of the predicted classes do not sum to 1")
        return self

    @classmethod
    def of(cls, statistics: Sequence[Mapping[str, float]], predicted: Sequence[str]) -> Self:
        """Describes N slices.

        Args:
            statistics: of each, with the same names.
            predicted: the class the model puts each in.
        """
        at = np.linspace(0, 100, QUANTILES)
        names = tuple(statistics[0])
        columns = {name: np.percentile([row[name] for row in statistics], at) for name in names}
        shares = {name: predicted.count(name) / len(predicted) for name in sorted(set(predicted))}
        return cls(
            n=len(statistics),
            statistics={name: tuple(round(float(value), 4) for value in column) for name, column in columns.items()},
            predicted_classes=shares,
        )

    def save(self, path: Path) -> None:
        """Writes the file."""
        path.write_text(self.model_dump_json() + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote.

        Raises:
            BundleInvalid: it is no such file.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise BundleInvalid(f"{path.name} cannot be read; restore the bundle from its source") from error

    def share_below(self, name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The share of training slices whose statistic is not above each of `values`."""
        return np.searchsorted(np.array(self.statistics[name]), values, side="right") / QUANTILES
