"""Findings about patients: series named in file names, patients on both sides of a split, a dependent valid split."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.alignment import ALIGNED_COPY
from hilum.dataset.audit.evidence import Evidence
from hilum.dataset.audit.finding import Finding, Pair
from hilum.dataset.groups import NEAR_COPY
from hilum.dataset.neighbours import nearest

_SHOWN = 6
_SIGNIFICANT = 0.01
_DEPENDENT, _DEPENDENT_TWINS = 0.5, 0.1
"""On the way from strangers (0) to neighbours within train (1), and the share of valid that fits onto train."""


def named_series(evidence: Evidence) -> Finding | None:
    """Parts of file names that predict the nearest neighbour far more often than chance."""
    telling = [line for line in evidence.names.evidence if line.p_value <= _SIGNIFICANT and line.agreement >= 0.25]
    used = [line for line in telling if line.is_used]
    if not used:
        return None
    n = sum(line.n for line in used)
    observed = sum(line.n * line.observed for line in used) / n
    chance = sum(line.n * line.chance for line in used) / n
    field = Counter(line.field for line in used).most_common(1)[0][0]
    what = "is the same" if used[0].relation == "same" else "follows or precedes its own"
    where = ", ".join(
        f"{line.split or 'all'}/{line.class_name} {line.observed:.0%} ({line.chance:.0%})" for line in used
    )
    near, series = ({r.group for r in m.records} for m in (evidence.near, evidence.series))
    return Finding(
        code="named-series",
        severity="warning",
        sentence=(
            f"File names tell the series: {field} of an image's nearest neighbour {what} in {observed:.0%} of "
            f"{n} images against {chance:.0%} by chance (permutation test within split and class, p at most "
            f"{max(line.p_value for line in used):.3f}: {where}); joined by it, {len(near)} groups of near copies "
            f"become {len(series)} groups."
        ),
        figures={
            "n": n,
            "observed": observed,
            "chance": chance,
            "p_value": max(line.p_value for line in used),
            "near_copy_groups": len(near),
            "series_groups": len(series),
            **{f"observed_{line.split or 'all'}_{line.class_name}": line.observed for line in used},
        },
        files=(),
        remedy="Split by series: `hilum dataset import --groups series`; better, write patients into groups.csv.",
    )


def shared_patients(evidence: Evidence) -> Finding | None:
    """Held-out images whose nearest neighbour in training is as close as neighbours of one series are."""
    if not {"train", "test"} <= set(evidence.splits):
        return None
    usual = evidence.usual_likeness
    rows, cosines, found = _across(evidence, "test")
    is_close = (cosines >= usual) & (cosines < NEAR_COPY)
    if not is_close.any():
        return None
    records = evidence.records
    same = np.array([records[i].class_name == records[j].class_name for i, j in zip(rows, found, strict=True)])
    crossing = _groups_crossing(evidence)
    order = [k for k in np.argsort(-cosines) if is_close[k]][:_SHOWN]
    n_close = int(is_close.sum())
    return Finding(
        code="shared-patients",
        severity="error",
        sentence=(
            f"{n_close} of {len(rows)} test images that are no near copies lie as close to an image of train or valid "
            f"as half of the training images do to each other (cosine {usual:.3f} to {NEAR_COPY}), "
            f"{same[is_close].mean():.0%} of them to one of their own class: likely the same patients; {crossing} "
            "groups of near copies and named series stand on both sides."
        ),
        figures={
            "close": n_close,
            "test_compared": len(rows),
            "usual_cosine": usual,
            "same_class_share": float(same[is_close].mean()),
            "groups_crossing": crossing,
        },
        files=tuple(sorted(records[rows[k]].path for k in np.flatnonzero(is_close))),
        remedy="Trust grouped cross-validation, and data of another hospital, more than this test split.",
        pairs=tuple(
            Pair(records[rows[k]].path, records[found[k]].path, float(cosines[k]), "likely one patient") for k in order
        ),
    )


def dependent_valid(evidence: Evidence) -> Finding | None:
    """A valid split whose images lie nearer to train than images of other patients do."""
    if not {"train", "valid"} <= set(evidence.splits):
        return None
    records = evidence.records
    within = evidence.usual_likeness
    rows, cosines, found = _across(evidence, "valid", below=2.0)
    across = float(np.median(cosines))
    strangers = float(np.median(_other_class_cosines(evidence, "valid", "train")))
    same = float(np.mean([records[i].class_name == records[j].class_name for i, j in zip(rows, found, strict=True)]))
    fitted = [t for t in evidence.twins if records[t.left].split == "valid" and t.aligned > ALIGNED_COPY]
    closeness = (across - strangers) / max(within - strangers, 1e-6)
    if closeness < _DEPENDENT and len(fitted) < _DEPENDENT_TWINS * len(rows):
        return None
    n_valid = sum(record.split == "valid" for record in records)
    return Finding(
        code="dependent-valid",
        severity="warning",
        sentence=(
            f"valid is not independent of train: the nearest train image of a valid one has a median cosine of "
            f"{across:.3f}, close to the {within:.3f} within train and above the {strangers:.3f} to images of another "
            f"class, hence another patient; {same:.0%} are of its own class, and once fitted {len(fitted)} of "
            f"{n_valid} valid images show a slice of train (cosine above {ALIGNED_COPY})."
        ),
        figures={
            "train_train": within,
            "valid_train": across,
            "other_class": strangers,
            "closeness": closeness,
            "same_class_share": same,
            "fitted": len(fitted),
            "valid": n_valid,
        },
        files=tuple(sorted(records[t.left].path for t in fitted)),
        remedy="Do not stop early or choose by this valid split; hold out whole groups of train and valid together.",
        pairs=tuple(
            Pair(
                records[t.left].path, records[t.right].path, t.aligned, f"valid and train, {t.aligned:.3f} once fitted"
            )
            for t in sorted(fitted, key=lambda t: -t.aligned)[:_SHOWN]
        ),
    )


def _other_class_cosines(evidence: Evidence, held_out: str, others: str) -> NDArray[np.float32]:
    """Each held-out image's nearest image of another class: what strangers look like."""
    records, prints = evidence.records, evidence.scan.fingerprints
    parts = []
    for name in evidence.near.class_names:
        left = [row for row in evidence.rows_of(held_out).tolist() if records[row].class_name == name]
        right = [row for row in evidence.rows_of(others).tolist() if records[row].class_name != name]
        if left and right:
            parts.append(nearest(prints[left], prints[right])[1])
    return np.concatenate(parts) if parts else np.full(1, -1.0, np.float32)


def _across(
    evidence: Evidence, held_out: str, *, below: float = NEAR_COPY
) -> tuple[list[int], NDArray[np.float32], list[int]]:
    """Rows of held-out images without a near copy elsewhere, their nearest cosine, and the row it belongs to."""
    held = evidence.held_out[held_out]
    first_left, first_right = evidence.first_of(held.rows), evidence.first_of(held.others)
    is_first = np.isin(held.rows, list(first_left.values()))
    kept = np.flatnonzero(is_first & (held.cosines[:, 0] < below))
    found = (evidence.records[row].sha256 for row in held.others[held.nearest[kept, 0]].tolist())
    return held.rows[kept].tolist(), held.cosines[kept, 0], [first_right[sha256] for sha256 in found]


def _groups_crossing(evidence: Evidence) -> int:
    splits: dict[str, set[str]] = defaultdict(set)
    for record in evidence.series.records:
        splits[record.group].add("test" if record.split == "test" else "train")
    return sum(len(found) > 1 for found in splits.values())
