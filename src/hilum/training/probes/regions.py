"""How much each region of the chest carries the answers: it is filled, and the fall is measured (occlusion).

After Zeiler and Fergus, ECCV 2014, with anatomical regions in the place of a sliding square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hilum.evaluation import Figure, mean_figure
from hilum.imaging.body import Body
from hilum.imaging.regions import REGIONS, Region, divide
from hilum.training.probes.cases import Cases, Pixels, Share, like, part
from hilum.training.probes.effects import Effect, effect_of

Filled = Region | Literal["both_lungs", "lungs_and_mediastinum"]
"""A model can read one lung where the other is filled, and the mediastinum where both are: only with all of it filled
is it known what the rest alone can tell."""

_FILLED: dict[Filled, tuple[Region, ...]] = {
    "lungs_and_mediastinum": ("right_lung", "left_lung", "mediastinum"),
    "both_lungs": ("right_lung", "left_lung"),
    **{region: (region,) for region in REGIONS},
}


@dataclass(frozen=True)
class RegionImportance:
    """What filling one region did.

    Attributes:
        region: one of `REGIONS`, or several of them together.
        area: mean share of the picture the region takes, over the slices that show it.
        effect: of filling it, on the slices that show it.
    """

    region: Filled
    area: Figure
    effect: Effect


def region_importance(cases: Cases, on_share: Share) -> tuple[RegionImportance, ...]:
    """Fills each region in turn and asks again.

    The lungs are filled with the slice's own level of aerated lung: vessels, nodules and masses vanish, and a lung
    that nothing is wrong with remains. Mediastinum and chest wall are filled with its level of soft tissue: their
    outline stays, their texture goes. The outside is filled with the picture's darkest grey, as air.
    """
    labels = [divide(pixels, body) for pixels, body in zip(cases.slices, cases.bodies, strict=True)]
    found = []
    for done, (region, parts) in enumerate(_FILLED.items()):
        areas = np.array([sum((label == REGIONS.index(one)).mean() for one in parts) for label in labels])

        def filled(case: int, parts: Sequence[Region] = parts) -> Pixels:
            pixels = cases.slices[case]
            changed = pixels.astype(np.float32)
            for one in parts:
                changed[labels[case] == REGIONS.index(one)] = _level(one, pixels, cases.bodies[case])
            return like(changed, pixels)

        changed = cases.answers(filled, part(on_share, done, len(_FILLED)))
        shown = np.flatnonzero(areas > 0)
        found.append(RegionImportance(region, mean_figure(areas[shown]), effect_of(cases, changed, shown)))
    return tuple(found)


def _level(region: Region, pixels: Pixels, body: Body) -> float:
    if region == "outside":
        return float(pixels.min())
    return body.lung if region.endswith("lung") else body.tissue
