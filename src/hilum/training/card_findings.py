"""The model card's sections on what the probes found. Every number comes from the findings."""

from __future__ import annotations

from hilum.training.card_format import interval, table
from hilum.training.probes.findings import FeatureImportance
from hilum.training.probes.heat import ExplanationCheck
from hilum.training.probes.regions import RegionImportance
from hilum.training.probes.robustness import Robustness
from hilum.training.probes.shortcuts import CHANGED_SHARE, KEPT_SHARE


def explanation_section(check: ExplanationCheck) -> str:
    """Whether the heat maps deserve trust."""
    shares = table(
        ("share that lies", "of the heat", "of the map's area", "difference"),
        [
            (name, interval(share.heat), interval(share.area), interval(share.gain))
            for name, share in (
                ("inside the body", check.in_body),
                ("inside lungs and mediastinum", check.in_chest),
            )
        ],
    )
    deletion = check.deletion
    deleted = table(
        ("cells removed first", "area under the probability"),
        [
            ("the hottest", interval(deletion.hottest)),
            ("at random", interval(deletion.random)),
            ("the coolest", interval(deletion.coolest)),
            ("random less hottest", interval(deletion.gain)),
        ],
    )
    head = check.random_head_correlation
    random_head = ""
    if head is not None:
        random_head = f"""

Under a head with random weights the maps' ranks correlate with the model's by {interval(head)}: the closer to 0, the
more they show what was learnt."""
    return f"""\
## Explanation check

Of the heat maps of {check.n} slices. A map that is hot everywhere alike would have the area's shares.

{shares}

Deletion test: cells are replaced by a blur, and the probability of the predicted class is followed. The smaller the
area for the hottest, the more the answer hangs on what the map marks.

{deleted}{random_head}"""


def importance_section(importance: FeatureImportance) -> str:
    """What the answers hang on, and the shortcuts it gives away."""
    regions = table(
        (
            "region filled",
            "n",
            "share of the picture",
            "fall of the true probability",
            "fall of accuracy",
            "other answers",
        ),
        [
            (
                region_name(row),
                row.effect.n,
                interval(row.area),
                interval(row.effect.probability_drop),
                interval(row.effect.accuracy_drop),
                f"{row.effect.n_changed} of {row.effect.n}",
            )
            for row in importance.regions
        ],
    )
    properties = table(
        ("property exchanged", "n", "change of the true probability", "fall of accuracy", "other answers"),
        [
            (
                row.name.replace("_", " "),
                row.effect.n,
                interval(row.effect.probability_change),
                interval(row.effect.accuracy_drop),
                f"{row.effect.n_changed} of {row.effect.n}",
            )
            for row in importance.properties.rows
        ],
    )
    constant = ", ".join(name.replace("_", " ") for name in importance.properties.constant)
    same = f"\n\nThe same in every slice of this split, and so not exchanged: {constant}." if constant else ""
    sentences = "\n".join(f"- {sentence}" for sentence in importance.sentences)
    return f"""\
## What the answers hang on

A region is filled: lungs with the slice's level of aerated lung, mediastinum and chest wall with its level of soft
tissue, the outside with air. A property is exchanged with that of another, random slice. By class it is in
`metrics.json`.

{regions}

{properties}{same}

![Feature importance](feature-importance.png)

{sentences or "No shortcut was revealed."}

A sentence stands here where, surely (95 % interval), more than {CHANGED_SHARE:.0%} of a class's answers change with a
property or with what lies outside the body, or more than {KEPT_SHARE:.0%} of a cancer's answers stay with lungs and
mediastinum filled, or the chest wall carries a class more than either lung or the mediastinum does."""


def robustness_section(robustness: Robustness) -> str:
    """How far the answers hold."""
    rows = table(
        ("perturbation", "accuracy", "fall of accuracy", "same answer"),
        [
            ("none", interval(robustness.unperturbed), "", ""),
            *(
                (row.name, interval(row.accuracy), interval(row.accuracy_drop), interval(row.agreement))
                for row in robustness.rows
            ),
        ],
    )
    return f"""\
## Robustness

{robustness.sentence} Windows are simulated from the 8-bit pictures: what their own window cut off stays cut off.

{rows}"""


def region_name(row: RegionImportance) -> str:
    """A region in words."""
    return "outside the body" if row.region == "outside" else row.region.replace("_", " ")
