"""How far the answers hold when a slice is perturbed: a table, and its worst row in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hilum.evaluation import Figure, mean_figure, share_figure
from hilum.training.probes.cases import Cases, Pixels, Share, part
from hilum.training.probes.perturbations import Perturbation


@dataclass(frozen=True)
class RobustnessRow:
    """One perturbation.

    Attributes:
        name, family: what was done.
        accuracy: on the perturbed slices.
        accuracy_drop: accuracy as they are, less this; of the same slices.
        agreement: share of slices whose answer stays (Wilson interval).
    """

    name: str
    family: str
    accuracy: Figure
    accuracy_drop: Figure
    agreement: Figure


@dataclass(frozen=True)
class Robustness:
    """The table.

    Attributes:
        n: slices.
        unperturbed: accuracy on them as they are.
        rows: in the order of `perturbations()`.
    """

    n: int
    unperturbed: Figure
    rows: tuple[RobustnessRow, ...]

    @property
    def worst(self) -> RobustnessRow:
        """The row of the lowest accuracy."""
        return min(self.rows, key=lambda row: row.accuracy.value or 0.0)

    @property
    def sentence(self) -> str:
        """The worst row in words."""
        worst = self.worst
        return (
            f"The worst is {worst.name}: accuracy {_percent(worst.accuracy)} instead of {_percent(self.unperturbed)}, "
            f"and {_percent(worst.agreement)} of the answers stay (n = {self.n})."
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, with the worst row's name and its sentence."""
        return {
            "n": self.n,
            "unperturbed": asdict(self.unperturbed),
            "rows": [asdict(row) for row in self.rows],
            "worst": self.worst.name,
            "sentence": self.sentence,
        }


def robustness(cases: Cases, perturbed_by: Sequence[Perturbation], seed: int, on_share: Share) -> Robustness:
    """Perturbs every slice in each way and asks again."""
    is_right = cases.predicted == cases.labels
    rows = []
    for done, perturbation in enumerate(perturbed_by):

        def perturbed(case: int, perturbation: Perturbation = perturbation) -> Pixels:
            rng = np.random.default_rng((seed, case))
            return perturbation.apply(cases.slices[case], cases.bodies[case], rng)

        after = cases.answers(perturbed, part(on_share, done, len(perturbed_by)))
        predicted = after.argmax(axis=1)
        still_right = predicted == cases.labels
        rows.append(
            RobustnessRow(
                name=perturbation.name,
                family=perturbation.family,
                accuracy=mean_figure(still_right),
                accuracy_drop=mean_figure(is_right.astype(float) - still_right, within=(-1, 1)),
                agreement=share_figure(int((predicted == cases.predicted).sum()), len(cases)),
            )
        )
    return Robustness(len(cases), mean_figure(is_right), tuple(rows))


def _percent(figure: Figure) -> str:
    return "undefined" if figure.value is None else f"{figure.value:.1%}"
