"""What an audit says: findings, the pairs that show them, and the probe's scores. Values only, computes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Pair:
    """Two files that belong together.

    Attributes:
        left, right: paths in the data set.
        likeness: cosine, 1 for the same bytes; fitted where `note` says so.
        note: what the pair shows.
    """

    left: str
    right: str
    likeness: float
    note: str


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Attributes:
        code: stable slug; docs/audit.md explains each.
        severity: `error`: a score on this data is wrong as it stands; `warning`: it may be; `note`: good to know.
        sentence: what was found, in plain words with its figures.
        figures: the same figures by name.
        files: paths concerned, sorted.
        remedy: what to do about it.
        effect: what it does to a score, in plain words with figures; empty where that was not measured.
        pairs: the worst examples, for pictures.
    """

    code: str
    severity: Severity
    sentence: str
    figures: Mapping[str, float | int | str]
    files: tuple[str, ...]
    remedy: str
    effect: str = ""
    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class Score:
    """A share of right answers with its 95 % bootstrap interval, groups of near copies resampled.

    Attributes:
        value: accuracy, or balanced accuracy where the name says so.
        low, high: the interval.
        n: images answered.
        majority: what always answering the commonest class scores.
    """

    value: float
    low: float
    high: float
    n: int
    majority: float

    def __str__(self) -> str:
        return f"{self.value:.1%} [{self.low:.1%}, {self.high:.1%}]"


@dataclass(frozen=True)
class Audit:
    """An audit's outcome.

    Attributes:
        dataset: the data set's name.
        n_images, n_distinct, n_refused: files read, different contents among them, files refused.
        class_counts: images by split, then by class.
        findings: the gravest first.
        scores: of the probe, by plan; empty where no probe was asked for.
    """

    dataset: str
    n_images: int
    n_distinct: int
    n_refused: int
    class_counts: Mapping[str, Mapping[str, int]]
    findings: tuple[Finding, ...]
    scores: Mapping[str, Score] = field(default_factory=dict)

    def finding(self, code: str) -> Finding | None:
        """The finding of this code, where there is one."""
        return next((finding for finding in self.findings if finding.code == code), None)

    def to_dict(self) -> dict[str, Any]:
        """The audit as JSON types."""
        return asdict(self)
