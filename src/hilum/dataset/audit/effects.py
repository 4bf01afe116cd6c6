"""What each finding does to a score, in sentences with figures. Reads the probe's scores, computes none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hilum.dataset.audit.finding import Finding, Score

Scores = Mapping[str, Score]

_PLANS = (
    ("random", "random 5-fold"),
    ("near-copies", "5-fold grouped by near copies"),
    ("series", "5-fold grouped by near copies and named series"),
    ("valid", "train to valid"),
    ("test", "train to test"),
    ("test-without-copies", "train to test without copies"),
    ("test-without-hidden-copies", "train to test without copies of any kind"),
)


def with_effect(finding: Finding, scores: Scores) -> Finding:
    """The finding with what the probe measured of it; unchanged where the probe has nothing to say."""
    effect = _EFFECTS.get(finding.code)
    return finding if finding.effect or effect is None else replace(finding, effect=effect(finding, scores))


def split_decides(scores: Scores) -> Finding | None:
    """The same classifier under every plan."""
    plans = [(plan, words) for plan, words in _PLANS if f"picture/{plan}" in scores]
    if len(plans) < 2:
        return None
    said = "; ".join(f"{words} {scores[f'picture/{plan}']}, n = {scores[f'picture/{plan}'].n}" for plan, words in plans)
    body = "; ".join(f"{words} {scores[f'body/{plan}'].value:.1%}" for plan, words in plans)
    values = [scores[f"picture/{plan}"].value for plan, _ in plans]
    figures = {key.replace("/", "_"): score.value for key, score in scores.items()}
    is_wide = max(values) - min(values) > 0.1
    return Finding(
        code="split-decides",
        severity="error" if is_wide else "note",
        sentence=f"The same quick classifier (HOG and an RBF SVM on whole pictures) scores {said}.",
        figures={**figures, "spread": max(values) - min(values)},
        files=(),
        remedy="Say with every figure how it was split; put the grouped figure first, never the random one.",
        effect=f"The way of splitting alone moves the score by {100 * (max(values) - min(values)):.0f} points. On "
        f"pictures cropped to the body: {body}.",
    )


def _fall(scores: Scores, high: str, low: str) -> str:
    """`from 93.4 % to 78.4 %`, or nothing where one is missing."""
    if high not in scores or low not in scores:
        return ""
    return f"from {scores[high].value:.1%} (n = {scores[high].n}) to {scores[low].value:.1%} (n = {scores[low].n})"


def _of_copies(_: Finding, scores: Scores) -> str:
    parts = []
    if words := _fall(scores, "picture/test", "picture/test-without-copies"):
        parts.append(f"Without the copies and near copies the probe's test accuracy goes {words}.")
    if words := _fall(scores, "picture/random", "picture/near-copies"):
        parts.append(f"Keeping them on one side of each fold takes its cross-validation {words}.")
    return " ".join(parts)


def _of_hidden(_: Finding, scores: Scores) -> str:
    parts = []
    if "picture/test" in scores and "body/test" in scores:
        parts.append(
            f"Shown only the body, the probe's test accuracy is {scores['body/test'].value:.1%} instead of "
            f"{scores['picture/test'].value:.1%}: once the crop is undone it recognises the slices."
        )
    if words := _fall(scores, "body/test-hidden-copies", "body/test-other-cancers"):
        parts.append(f"Among the cancers it goes {words} from those shown in training to the others.")
    if words := _fall(scores, "body/test", "body/series"):
        parts.append(f"With series kept apart the same probe goes {words}.")
    return " ".join(parts)


def _of_conflicts(finding: Finding, scores: Scores) -> str:
    words = _fall(scores, "picture/test", "picture/test-without-conflicts")
    if not words:
        return "No score was measured without them."
    return f"Leaving these {len(finding.files)} files out of training moves the probe's test accuracy {words}."


def _of_series(_: Finding, scores: Scores) -> str:
    words = _fall(scores, "picture/near-copies", "picture/series")
    body = _fall(scores, "body/near-copies", "body/series")
    if not words:
        return ""
    more = f", and {body} on pictures cropped to the body" if body else ""
    return f"Keeping series on one side of each fold, not only near copies, takes the probe {words}{more}."


def _of_patients(_: Finding, scores: Scores) -> str:
    words = _fall(scores, "body/test-without-copies", "body/series")
    return (
        f"On pictures cropped to the body, series apart instead of this test takes the probe {words}." if words else ""
    )


def _of_valid(_: Finding, scores: Scores) -> str:
    words = _fall(scores, "picture/valid", "picture/test")
    return f"Trained on train, the probe goes {words} from valid to test: valid promises too much." if words else ""


def _of_folders(_: Finding, scores: Scores) -> str:
    words = _fall(scores, "picture/test", "picture/test-classes-by-position")
    return f"Reading the probe's answers by that hand-written order takes its test accuracy {words}." if words else ""


def _of_balance(_: Finding, scores: Scores) -> str:
    test = scores.get("picture/test") or scores.get("picture/random")
    return f"Always answering the commonest class scores {test.majority:.1%} of {test.n} images." if test else ""


def _of_few(_: Finding, scores: Scores) -> str:
    words = _fall(scores, "picture/random", "picture/near-copies")
    return f"A random fold meets the same pictures again; grouping them takes the probe {words}." if words else ""


def _of_exports(_: Finding, scores: Scores) -> str:
    aspects = [aspect for aspect in ("file format and mode", "size") if f"shortcut/{aspect}" in scores]
    said = " and ".join(f"{scores[f'shortcut/{a}'].value:.1%} by {a}" for a in aspects)
    guessing = scores[f"shortcut/{aspects[0]}"].majority if aspects else 0.0
    return f"What no slice shows tells the class: balanced accuracy is {said}, guessing {guessing:.1%}." if said else ""


_EFFECTS = {
    "wrong-extensions": _of_exports,
    "mixed-exports": _of_exports,
    "byte-copies": _of_copies,
    "near-copies": _of_copies,
    "hidden-copies": _of_hidden,
    "conflicting-labels": _of_conflicts,
    "named-series": _of_series,
    "shared-patients": _of_patients,
    "dependent-valid": _of_valid,
    "folder-names": _of_folders,
    "class-imbalance": _of_balance,
    "few-pictures": _of_few,
}
