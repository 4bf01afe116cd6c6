"""The audit: every check in turn, the gravest finding first. Decides nothing that a check decides."""

from __future__ import annotations

from hilum.dataset.audit import classes, copies, files, patients
from hilum.dataset.audit.effects import split_decides, with_effect
from hilum.dataset.audit.evidence import Evidence, Progress, gather
from hilum.dataset.audit.finding import SEVERITIES, Audit, Finding, Score
from hilum.dataset.scan import Scan

_CHECKS = (
    copies.byte_copies,
    copies.near_copies,
    copies.hidden_copies,
    copies.conflicting_labels,
    patients.named_series,
    patients.shared_patients,
    patients.dependent_valid,
    files.refused_files,
    files.wrong_extensions,
    files.mixed_exports,
    classes.folder_names,
    classes.imbalance,
    classes.few_pictures,
)


def audit(scan: Scan, *, with_probe: bool = True, progress: Progress | None = None) -> Audit:
    """Looks at a data set from every side.

    Args:
        scan: the data set as read.
        with_probe: also measure shortcuts and what the findings do to a score; this needs scikit-learn, the checks
            themselves do not.
        progress: called with a stage, the share of it that is done, and words.
    """
    report = progress or _silent
    evidence = gather(scan, report)
    findings = checked(evidence, report)
    scores: dict[str, Score] = {}
    if with_probe:
        measured, scores = _measure(evidence, report)
        findings = [with_effect(finding, scores) for finding in findings + measured]
    manifest = evidence.near
    return Audit(
        dataset=manifest.source,
        n_images=len(manifest.records),
        n_distinct=len({record.sha256 for record in manifest.records}),
        n_refused=len(manifest.rejected),
        class_counts=manifest.class_counts(),
        findings=tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))),
        scores=scores,
    )


def checked(evidence: Evidence, progress: Progress) -> list[Finding]:
    """What every check finds, in their order."""
    found = []
    for place, check in enumerate(_CHECKS):
        progress("check", place / len(_CHECKS), check.__name__.replace("_", " "))
        if finding := check(evidence):
            found.append(finding)
    progress("check", 1.0, "done")
    return found


def _measure(evidence: Evidence, progress: Progress) -> tuple[list[Finding], dict[str, Score]]:
    from hilum.dataset.audit.probe import probe_scores
    from hilum.dataset.audit.shortcuts import measure_shortcuts, shortcut_findings

    scores = probe_scores(evidence, progress)
    shortcuts = measure_shortcuts(evidence, progress)
    scores |= {f"shortcut/{shortcut.aspect}": shortcut.best for shortcut in shortcuts}
    findings = shortcut_findings(shortcuts)
    if decided := split_decides(scores):
        findings.append(decided)
    return findings, scores


def _silent(stage: str, share: float, words: str) -> None:
    """Progress nobody watches."""
