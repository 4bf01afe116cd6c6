"""An image that came in, and what was decided of it so far. Decides nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from hilum.dataset.recognition import Match
from hilum.services.image_pool import PoolEntry
from hilum.services.image_reading import ReadImage

ALIKE = ("near-copy", "same-slice")
"""Codes of what an accepted image resembles."""

Status = Literal["accepted", "duplicate", "quarantined", "refused"]


@dataclass
class Candidate:
    """An image under consideration.

    Attributes:
        given_group: the patient or series that the sender names.
        group: the same, or a made-up name; that of the images it joins in the end.
        image_id: of its row, or of the stored one it repeats.
        kept_sha256: of the copy of its pixels, once that is kept.
        reasons: objects of `code`, `detail` and perhaps `image_id` of the other image, the gravest first.
        alike: images it must not be parted from.
    """

    index: int
    read: ReadImage
    class_name: str
    split: str
    group: str
    given_group: str | None = None
    image_id: uuid.UUID | None = field(default_factory=uuid.uuid4)
    status: Status = "accepted"
    reasons: list[dict[str, str]] = field(default_factory=list)
    kept_sha256: str | None = None
    entry: PoolEntry | None = None
    alike: list[PoolEntry] = field(default_factory=list)
    is_judged: bool = False
    is_doubted: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether it gets a row."""
        return self.status in {"accepted", "quarantined"}

    @property
    def code(self) -> str | None:
        """The first reason's."""
        return self.reasons[0]["code"] if self.reasons else None

    def turn(self, status: Status, code: str, detail: str, *, other: uuid.UUID | None = None) -> None:
        """Becomes `status` for a reason; `other` is the image that it repeats or that contradicts it."""
        self.status = status
        shown = {"image_id": str(other)} if other is not None else {}
        self.reasons.insert(0, {"code": code, "detail": detail} | shown)
        if self.entry is not None:
            self.entry.status = status

    def note_alike(self, other: PoolEntry, match: Match) -> None:
        """Notes the image it resembles most, whose group it joins; that is no reason to keep it out."""
        what = "nearly the same picture" if match.kind == "near-copy" else "the same slice under another crop"
        self.reasons = [reason for reason in self.reasons if reason["code"] not in ALIKE]
        detail = f"{what} as one that is there already (likeness {match.likeness:.3f}); they share a group"
        self.reasons.append({"code": match.kind, "detail": detail, "image_id": str(other.id)})


def tally(candidates: Iterable[Candidate]) -> dict[Status, int]:
    """How many images have each status."""
    counts: dict[Status, int] = {"accepted": 0, "duplicate": 0, "quarantined": 0, "refused": 0}
    for candidate in candidates:
        counts[candidate.status] += 1
    return counts
