"""Sentences that name a shortcut where the measured importance reveals one, and say nothing else. Measures nothing."""

from __future__ import annotations

from collections.abc import Sequence

from hilum.evaluation import share_figure
from hilum.imaging.regions import REGIONS
from hilum.training.probes.effects import Effect
from hilum.training.probes.properties import PropertyImportance
from hilum.training.probes.regions import RegionImportance

CHANGED_SHARE = 0.05
"""A class's answers may change in this share of its slices; above, surely (95 % interval), it is a shortcut."""

_WORDS = {"file_format": "file format"}


KEPT_SHARE = 0.5
"""A cancer's answers that stay, in surely more than this share, when lungs and mediastinum are filled, are not
read there."""


def shortcut_sentences(
    regions: Sequence[RegionImportance], properties: Sequence[PropertyImportance], cancer_class_names: Sequence[str]
) -> tuple[str, ...]:
    """A sentence for each class and property, or region, that gives a shortcut away.

    Shares are of the slices answered with a class, and count from the lower end of their 95 % interval (Wilson). There
    is a sentence where more than `CHANGED_SHARE` of the answers change though only a property of the picture, or what
    lies outside the body, was changed; where more than `KEPT_SHARE` of a cancer's answers stay with lungs and
    mediastinum filled; and where the chest wall matters more to a class than either lung or the mediastinum.
    """
    causes = [(_WORDS.get(row.name, row.name), row.effect) for row in properties]
    by_region = {row.region: row.effect for row in regions}
    if "outside" in by_region:
        causes.append(("the picture outside the body", by_region["outside"]))
    found = [
        f"The answer '{row.class_name}' changes when only {cause} changes: {row.n_changed} of {row.n_answered}."
        for cause, effect in causes
        for row in effect.per_class
        if _is_sure(row.n_changed, row.n_answered)
    ]
    return (*found, *_filled_inside(by_region.get("lungs_and_mediastinum"), cancer_class_names), *_chest_wall(regions))


def _is_sure(changed: int, n: int) -> bool:
    low = share_figure(changed, n).low
    return low is not None and low > CHANGED_SHARE


def _filled_inside(effect: Effect | None, cancer_class_names: Sequence[str]) -> list[str]:
    found = []
    for row in effect.per_class if effect else ():
        kept = row.n_answered - row.n_changed
        low = share_figure(kept, row.n_answered).low
        if row.class_name in cancer_class_names and low is not None and low > KEPT_SHARE:
            found.append(
                f"The answer '{row.class_name}' stays when lungs and mediastinum are filled: {kept} of "
                f"{row.n_answered}; the chest wall and the outlines suffice for it."
            )
    return found


def _chest_wall(regions: Sequence[RegionImportance]) -> list[str]:
    single = [row for row in regions if row.region in REGIONS]
    drops = {row.region: {effect.class_name: effect for effect in row.effect.per_class} for row in single}
    found = []
    for name, wall in drops.get("chest_wall", {}).items():
        inner = [drops[region][name].probability_drop for region in drops if region not in {"chest_wall", "outside"}]
        highest = max((figure.value for figure in inner if figure.value is not None), default=None)
        low = wall.probability_drop.low
        if highest is not None and low is not None and low > max(highest, CHANGED_SHARE):
            found.append(
                f"The chest wall carries '{name}' more than either lung or the mediastinum: filling it lowers the "
                f"probability by {wall.probability_drop.value:.2f}, filling one of those by at most "
                f"{max(highest, 0):.2f} (n = {wall.n})."
            )
    return found
