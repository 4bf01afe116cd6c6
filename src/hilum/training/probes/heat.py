"""Whether heat maps deserve trust: where their heat lies, whether it matters, and whether it comes from the weights.

It checks the maps the service shows; drawing them is inference.explain's work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.evaluation import Figure, mean_figure
from hilum.imaging.regions import REGIONS, divide
from hilum.training.probes.cases import Cases, Share, in_parallel
from hilum.training.probes.random_head import with_random_head

_STEPS = 8
"""Cells are removed in this many equal portions."""

_HEADS = 3
_INNER = [REGIONS.index(region) for region in ("right_lung", "left_lung", "mediastinum")]

Map = NDArray[np.float32]


@dataclass(frozen=True)
class HeatShare:
    """Where the heat lies.

    Attributes:
        heat: mean share of the positive heat that lies inside.
        area: mean share of the map's area that lies inside: what a uniform map would have.
        gain: mean difference of the two.
    """

    heat: Figure
    area: Figure
    gain: Figure


@dataclass(frozen=True)
class Deletion:
    """The deletion test (Petsiuk et al., RISE, BMVC 2018).

    Attributes:
        hottest, random, coolest: area under the predicted class's probability while cells are removed in this order.
        gain: mean of random less hottest; above 0 the heat marks what the answer hangs on.
    """

    hottest: Figure
    random: Figure
    coolest: Figure
    gain: Figure


@dataclass(frozen=True)
class ExplanationCheck:
    """What was found of the heat maps.

    Attributes:
        n: slices.
        n_without_heat: slices whose map has no positive heat; they count in the deletion test only.
        in_body, in_chest: inside the body, and inside lungs and mediastinum.
        deletion: the deletion test.
        random_head_correlation: mean rank correlation of a map with that of the same features under a random head
            (Adebayo et al., NeurIPS 2018); near 0 the map shows what was learnt. None where the graph has no head.
    """

    n: int
    n_without_heat: int
    in_body: HeatShare
    in_chest: HeatShare
    deletion: Deletion
    random_head_correlation: Figure | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)


def explanation_check(cases: Cases, graph: Path, seed: int, on_share: Share) -> ExplanationCheck:
    """Checks the maps of the predicted class.

    Args:
        cases: the slices.
        graph: the bundle's fp32 ONNX file, whose head is made random.
        seed: of the random order and the random heads.
        on_share: told of the share done.
    """
    maps = cases.activation_maps[np.arange(len(cases)), :, :, cases.predicted]
    inside = [_inside(cases, index, maps.shape[1:]) for index in range(len(cases))]
    bodies, chests = np.array([body for body, _ in inside]), np.array([chest for _, chest in inside])
    areas = in_parallel(
        lambda index: _deletion_areas(cases, index, maps[index], bodies[index], seed),
        range(len(cases)),
        lambda share: on_share(0.8 * share),
    )
    hottest, shuffled, coolest = np.array(areas).T
    heat = np.maximum(maps, 0)
    has_heat = heat.sum(axis=(1, 2)) > 0
    return ExplanationCheck(
        n=len(cases),
        n_without_heat=int((~has_heat).sum()),
        in_body=_heat_share(heat[has_heat], bodies[has_heat]),
        in_chest=_heat_share(heat[has_heat], chests[has_heat]),
        deletion=Deletion(
            mean_figure(hottest),
            mean_figure(shuffled),
            mean_figure(coolest),
            mean_figure(shuffled - hottest, within=(-1, 1)),
        ),
        random_head_correlation=_random_head_correlation(
            cases, graph, bodies, seed, lambda share: on_share(0.8 + 0.2 * share)
        ),
    )


def _inside(cases: Cases, index: int, shape: tuple[int, ...]) -> tuple[Map, Map]:
    """The share of each cell of the map, which spans the body's box, inside the body and inside the chest."""
    body = cases.bodies[index]
    labels = divide(cases.slices[index], body)[body.top : body.bottom, body.left : body.right]
    size = (shape[1], shape[0])
    in_chest = np.isin(labels, _INNER).astype(np.float32)
    return (
        cv2.resize((body.mask > 0).astype(np.float32), size, interpolation=cv2.INTER_AREA),
        cv2.resize(in_chest, size, interpolation=cv2.INTER_AREA),
    )


def _heat_share(heat: Map, inside: Map) -> HeatShare:
    if not len(heat):
        nothing = mean_figure([])
        return HeatShare(nothing, nothing, nothing)
    of_heat = (heat * inside).sum(axis=(1, 2)) / heat.sum(axis=(1, 2))
    of_area = inside.mean(axis=(1, 2))
    return HeatShare(mean_figure(of_heat), mean_figure(of_area), mean_figure(of_heat - of_area, within=(-1, 1)))


def _deletion_areas(cases: Cases, index: int, activation: Map, in_body: Map, seed: int) -> tuple[float, float, float]:
    """Area under the curve for the hottest cells first, a random order and the coolest first.

    Only cells that touch the body are removed: in the others there is nothing. A removed cell shows the slice blurred
    by one cell, which brings in no new edges.
    """
    tensor = cases.tensor(index)[..., 0]
    cell = tensor.shape[0] / activation.shape[0]
    blurred = cv2.GaussianBlur(tensor, (0, 0), cell)
    cells = np.flatnonzero(in_body > 0)
    by_heat = cells[np.argsort(-activation.reshape(-1)[cells], kind="stable")]
    orders = (by_heat, np.random.default_rng((seed, index)).permutation(cells), by_heat[::-1])
    batch = [tensor, np.where(_covering(cells, activation.shape, tensor.shape), blurred, tensor)]
    for order in orders:
        for step in range(1, _STEPS):
            removed = order[: round(len(order) * step / _STEPS)]
            batch.append(np.where(_covering(removed, activation.shape, tensor.shape), blurred, tensor))
    answers = cases.predictor.answer_tensors(np.stack(batch)[..., np.newaxis]).probabilities
    curve = answers[:, cases.predicted[index]]
    middle = curve[2:].reshape(3, _STEPS - 1)
    first, second, third = ((curve[0] + curve[1]) / 2 + middle.sum(axis=1)) / _STEPS  # trapezoids
    return float(first), float(second), float(third)


def _covering(cells: NDArray[np.intp], shape: Sequence[int], size: Sequence[int]) -> NDArray[np.bool_]:
    """(side, side), True over these cells of the map."""
    grid = np.zeros(tuple(shape), np.uint8)
    grid.reshape(-1)[cells] = 1
    return cv2.resize(grid, (size[1], size[0]), interpolation=cv2.INTER_NEAREST) > 0


def _random_head_correlation(cases: Cases, graph: Path, bodies: Map, seed: int, on_share: Share) -> Figure | None:
    """Of each slice's map with those under several random heads, the mean rank correlation over cells of the body."""
    engines = [with_random_head(graph, None), *(with_random_head(graph, seed + head) for head in range(_HEADS))]
    if any(engine is None for engine in engines):
        return None

    def correlation(index: int) -> float:
        batch, cells = cases.tensor(index)[np.newaxis], bodies[index] > 0
        learnt, *others = (
            engine.run(batch).activation_maps[0, :, :, cases.predicted[index]][cells] for engine in engines if engine
        )
        return float(np.mean([_rank_correlation(learnt, other) for other in others]))

    return mean_figure(in_parallel(correlation, range(len(cases)), on_share), within=(-1, 1))


def _rank_correlation(first: Map, second: Map) -> float:
    """Spearman's; 0 where a map is the same everywhere."""
    if np.ptp(first) == 0 or np.ptp(second) == 0 or first.size < 2:
        return 0.0
    ranks = [values.argsort(kind="stable").argsort(kind="stable") for values in (first, second)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
