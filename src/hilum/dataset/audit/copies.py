"""Findings about copies: the same bytes, nearly the same picture, the same slice under another crop, two labels."""

from __future__ import annotations

from collections import defaultdict

from hilum.dataset.alignment import ALIGNED_COPY, Twin
from hilum.dataset.audit.evidence import Evidence, is_cancer
from hilum.dataset.audit.finding import Finding, Pair
from hilum.dataset.groups import NEAR_COPY

_SHOWN = 6
LEVELS = (0.95, 0.97, 0.99)


def byte_copies(evidence: Evidence) -> Finding | None:
    """Files with the same bytes, and how many of them stand in two splits."""
    by_content: dict[str, list[int]] = defaultdict(list)
    for row, record in enumerate(evidence.records):
        by_content[record.sha256].append(row)
    twins = [rows for rows in by_content.values() if len(rows) > 1]
    if not twins:
        return None
    records = evidence.records
    crossing = [rows for rows in twins if len({records[row].split for row in rows}) > 1]
    n_crossing = sum(len(rows) for rows in crossing)
    across = f"; {n_crossing} files have a twin in another split" if len(evidence.splits) > 1 else ""
    n_files, n_distinct = len(records), len(by_content)
    return Finding(
        code="byte-copies",
        severity="error" if crossing else "warning",
        sentence=(
            f"{n_files} files hold {n_distinct} different contents: {n_files - n_distinct} files are copies{across}."
        ),
        figures={"files": n_files, "distinct": n_distinct, "with_twin_in_another_split": n_crossing},
        files=tuple(sorted(records[row].path for rows in twins for row in rows)),
        remedy="Train on each content once; leave out of the test every image that is in training.",
        pairs=tuple(
            Pair(records[rows[0]].path, records[rows[-1]].path, 1.0, "the same bytes")
            for rows in (crossing or twins)[:_SHOWN]
        ),
    )


def near_copies(evidence: Evidence) -> Finding | None:
    """Different files whose body is nearly the same picture."""
    left, right, cosines = evidence.pairs
    if not left.size:
        return None
    records = evidence.records
    concerned = sorted({int(row) for row in (*left.tolist(), *right.tolist())})
    crossing = [k for k in range(left.size) if records[left[k]].split != records[right[k]].split]
    figures: dict[str, float | int | str] = {
        "pairs": int(left.size),
        "files": len(concerned),
        "pairs_across_splits": len(crossing),
        "groups": len({record.group for record in evidence.near.records}),
    }
    sentence = f"{len(concerned)} files have a near copy with other bytes (body-aligned cosine above {NEAR_COPY})"
    held = [row for row, record in enumerate(records) if record.split == "test"]
    copied = [row for row in held if row in _seen_before(evidence)]
    for name in sorted({records[row].class_name for row in held}):
        of_class = [row for row in held if records[row].class_name == name]
        n_copied = sum(row in set(copied) for row in of_class)
        figures[f"test_copied_{name}"], figures[f"test_{name}"] = n_copied, len(of_class)
    if held:
        figures["test_copied"], figures["test"] = len(copied), len(held)
        worst = max(
            sorted({records[row].class_name for row in held}),
            key=lambda name: float(figures[f"test_copied_{name}"]) / float(figures[f"test_{name}"]),
        )
        sentence += (
            f"; {len(copied)} of {len(held)} test images are a copy, or nearly, of a train or valid image, "
            f"among them {figures[f'test_copied_{worst}']} of the {figures[f'test_{worst}']} of class {worst}"
        )
    shown = sorted(crossing or range(left.size), key=lambda k: float(cosines[k]))[:_SHOWN]
    return Finding(
        code="near-copies",
        severity="error" if crossing else "warning",
        sentence=sentence + ".",
        figures=figures,
        files=tuple(records[row].path for row in concerned),
        remedy="Keep each group on one side of every split (`hilum dataset import` writes the groups); report the "
        "test without copies beside it.",
        pairs=tuple(
            Pair(records[left[k]].path, records[right[k]].path, float(cosines[k]), "near copies") for k in shown
        ),
    )


def hidden_copies(evidence: Evidence) -> Finding | None:
    """Held-out images that show a slice of training under another crop; normal ones are in `near_copies` already."""
    twins = [twin for twin in evidence.twins if evidence.records[twin.left].split == "test"]
    cancers = [twin for twin in twins if is_cancer(evidence.records[twin.left].class_name)]
    n_cancers = sum(record.split == "test" and is_cancer(record.class_name) for record in evidence.records)
    same_slice = sorted((twin for twin in cancers if twin.aligned > ALIGNED_COPY), key=lambda twin: -twin.aligned)
    if not same_slice:
        return None
    records = evidence.records

    def is_same_class(twin: Twin) -> bool:
        return records[twin.left].class_name == records[twin.right].class_name

    figures: dict[str, float | int | str] = {"test_cancers": n_cancers}
    for level in LEVELS:
        figures[f"as_cropped_{level}"] = sum(twin.cosine > level for twin in cancers)
        figures[f"fitted_{level}"] = sum(twin.aligned > level for twin in cancers)
    figures["same_class"] = sum(is_same_class(twin) for twin in same_slice)
    shown = sorted((t for t in same_slice if t.cosine < NEAR_COPY), key=lambda t: -t.aligned) or same_slice
    return Finding(
        code="hidden-copies",
        severity="error",
        sentence=(
            f"{len(same_slice)} of {n_cancers} cancer test images show a slice of train or valid under another crop "
            f"(cosine above {ALIGNED_COPY} once the bodies are fitted onto each other; {figures['fitted_0.99']} above "
            f"0.99), {len(same_slice) - int(figures['same_class'])} of them with another class; by the body's box "
            f"alone {figures['as_cropped_0.95']} are above 0.95, {figures['as_cropped_0.97']} above 0.97 and "
            f"{figures['as_cropped_0.99']} above 0.99."
        ),
        figures=figures,
        files=tuple(sorted(records[twin.left].path for twin in twins if twin.aligned > ALIGNED_COPY)),
        remedy="Whole-image hashes cannot see this; leave these images out of the test, or split by patient.",
        pairs=tuple(
            Pair(
                records[t.left].path,
                records[t.right].path,
                t.aligned,
                f"one slice under two crops: cosine {t.cosine:.3f} by the box, {t.aligned:.3f} once fitted",
            )
            for t in shown[:_SHOWN]
        ),
    )


def conflicting_labels(evidence: Evidence) -> Finding | None:
    """The same bytes, or the same slice, under two classes."""
    conflicts = evidence.near.conflicts
    records = evidence.records
    left, right, cosines = evidence.pairs
    near = [
        Pair(
            records[i].path,
            records[j].path,
            float(c),
            f"near copies as {records[i].class_name} and {records[j].class_name}",
        )
        for i, j, c in zip(left.tolist(), right.tolist(), cosines.tolist(), strict=True)
        if records[i].class_name != records[j].class_name
    ]
    hidden = [
        Pair(
            records[twin.left].path,
            records[twin.right].path,
            twin.aligned,
            f"one slice, cropped otherwise, as {records[twin.left].class_name} and {records[twin.right].class_name}",
        )
        for twin in evidence.twins
        if twin.aligned > LEVELS[-1]
        and twin.cosine <= NEAR_COPY
        and records[twin.left].class_name != records[twin.right].class_name
    ]
    if not conflicts and not near and not hidden:
        return None
    exact = [
        Pair(conflict.paths[0], conflict.paths[-1], 1.0, f"the same bytes as {' and as '.join(conflict.class_names)}")
        for conflict in conflicts
    ]
    parts = []
    if exact:
        names = "; ".join(f"{pair.left} = {pair.right}" for pair in exact[:3])
        plural = "s stand" if len(exact) > 1 else " stands"
        parts.append(f"{len(exact)} content{plural} under two classes ({names})")
    if near:
        parts.append(f"{len(near)} pair{'s' if len(near) > 1 else ''} of near copies with different classes")
    if hidden:
        parts.append(f"{len(hidden)} slice{'s' if len(hidden) > 1 else ''} under two crops with different classes")
    return Finding(
        code="conflicting-labels",
        severity="warning",
        sentence=f"{'; '.join(parts)}: at least one label of each is wrong.",
        figures={"contents": len(exact), "near_pairs": len(near), "hidden_pairs": len(hidden)},
        files=tuple(sorted({path for conflict in conflicts for path in conflict.paths})),
        remedy="Ask whoever labelled them; until then train on none of the identical ones (hilum leaves them out).",
        pairs=tuple(exact + sorted(near + hidden, key=lambda pair: -pair.likeness))[:_SHOWN],
    )


def seen_before(evidence: Evidence) -> frozenset[int]:
    """Rows of test images with a copy or near copy in train or valid."""
    return _seen_before(evidence)


def _seen_before(evidence: Evidence) -> frozenset[int]:
    records = evidence.records
    contents = {record.sha256 for record in records if record.split in {"train", "valid"}}
    near: set[str] = set()
    left, right, _ = evidence.pairs
    for i, j in zip(left.tolist(), right.tolist(), strict=True):
        for one, other in ((i, j), (j, i)):
            if records[other].sha256 in contents:
                near.add(records[one].sha256)
    return frozenset(
        row
        for row, record in enumerate(records)
        if record.split == "test" and (record.sha256 in contents or record.sha256 in near)
    )
