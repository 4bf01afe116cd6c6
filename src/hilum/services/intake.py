"""What becomes of each image that comes in: accepted, a duplicate, quarantined or refused, and why.

Knows the rules of docs/datasets.md; stores nothing. A copy of a test image never gets past it.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hilum.dataset.audit.copies import LEVELS
from hilum.dataset.recognition import Match
from hilum.errors import NotAChestCt
from hilum.imaging.dicom import BURNED_IN
from hilum.services.candidates import Candidate
from hilum.services.group_joining import JoinedGroups
from hilum.services.image_pool import FingerprintFile, ImagePool, PoolEntry
from hilum.services.image_reading import IncomingFile, ModelAnswer, ReadImage

DOUBTED = "label-doubted"
_DOUBTED_BELOW = 0.05
_DOUBTED_SHARE, _DOUBTED_LEAST = 0.2, 5
"""A batch with more doubted labels than this is itself in doubt."""

_UNREADABLE = frozenset({"empty-file", "unsupported-media-type"})
"""Files that are no images at all: nothing of them is kept."""

_TOO_LARGE = 413
_LONGEST_CLASS = 64


@dataclass(frozen=True)
class IntakeRules:
    """What a batch may bring.

    Attributes:
        source: `import`, `upload` or `feedback`.
        classes: those known beside the stored ones.
        takes_new_classes: whether classes that nobody knows are meant.
        is_test_frozen: nothing joins the test set any more.
    """

    source: Literal["import", "upload", "feedback"]
    classes: frozenset[str] = frozenset()
    takes_new_classes: bool = False
    is_test_frozen: bool = False


class Intake:
    """Decides on the images of one batch, in the order they come.

    Attributes:
        candidates: what was decided.
        began: the moment of `time.monotonic` before the first one came.
    """

    def __init__(self, pool: ImagePool, prints: FingerprintFile, rules: IntakeRules) -> None:
        """Takes what is known.

        Args:
            pool: the stored images; the batch's join it.
            prints: keeps the batch's fingerprints.
            rules: of this batch.
        """
        self._pool = pool
        self._prints = prints
        self._rules = rules
        self._known_classes = pool.classes | rules.classes
        self._test_groups = pool.groups("test")
        self._stored_groups = pool.groups("train") | self._test_groups
        self._of_entry: dict[uuid.UUID, Candidate] = {}
        self.candidates: list[Candidate] = []
        self.began = time.monotonic()

    def take(self, file: IncomingFile, read: ReadImage) -> Candidate:
        """Decides on one image, as far as that is possible before the batch is whole."""
        group = file.group or read.sha256[:16]
        candidate = Candidate(file.index, read, file.class_name or "", file.split, group, file.group)
        self.candidates.append(candidate)
        if self._is_usable(candidate):
            self._compare(candidate, read, self._pool)
        if candidate.is_kept and read.refusal is None:
            self._look_at(candidate)
        if candidate.is_kept:
            slot = self._prints.append(read.fingerprint) if read.fingerprint is not None else None
            candidate.entry = PoolEntry(
                candidate.image_id or uuid.uuid4(), read.sha256, read.pixels_sha256, candidate.class_name,
                group, candidate.split, candidate.status, slot,
            )  # fmt: skip
            self._of_entry[candidate.entry.id] = candidate
            self._pool.add(candidate.entry, read)
        elif candidate.status == "refused":
            candidate.image_id = None
        candidate.read = replace(read, fingerprint=None, pixel_file=None, answer=None)  # a batch may be large
        return candidate

    def conclude(self, newer: ImagePool) -> dict[str, str]:
        """Decides what takes the whole batch.

        Args:
            newer: what was stored since the batch began.

        Returns:
            Stored groups that turned out to be one: old name to new.
        """
        if not newer.is_empty:
            self._test_groups |= newer.groups("test")
            for candidate in self.candidates:
                if candidate.is_kept:
                    self._compare(candidate, self._whole(candidate), newer)
                if candidate.status == "refused":
                    candidate.image_id = None
        self._quarantine_held_groups()
        self._quarantine_doubted()
        return self._join_groups()

    def _is_usable(self, candidate: Candidate) -> bool:
        """Turns away what is no image or has no class."""
        refusal = candidate.read.refusal
        if refusal is not None and (refusal.code in _UNREADABLE or refusal.status == _TOO_LARGE):
            candidate.turn("refused", refusal.code, refusal.detail)
        elif not candidate.class_name:
            candidate.turn("refused", "outside-class-folders", "no folder and no label names its class")
        elif len(candidate.class_name) > _LONGEST_CLASS:
            candidate.turn("refused", "label-invalid", f"a class name has at most {_LONGEST_CLASS} characters")
        elif refusal is not None:
            candidate.turn("quarantined", refusal.code, refusal.detail)
        elif candidate.read.pixel_file is None:
            candidate.turn("quarantined", BURNED_IN, "the file says that its pixels show text, which may name a person")
        return candidate.is_kept

    def _compare(self, candidate: Candidate, read: ReadImage, pool: ImagePool) -> None:
        """Looks for the same image, and for the same slice, among what is known."""
        twins = [twin for twin in pool.twins(read) if twin is not candidate.entry]
        if self._is_across(candidate, twins, "the same image"):
            return
        if others := [t for t in twins if t.status != "deleted" and t.class_name != candidate.class_name]:
            self._conflict(candidate, others, "the same image")
            return
        if same := [t for t in twins if t.status != "deleted"]:
            candidate.turn("duplicate", "duplicate", "the same image is there already", other=same[0].id)
            candidate.image_id = same[0].id
            return
        if twins:
            candidate.turn("quarantined", "deleted-before", "the same image was deleted once")
        self._compare_slices(candidate, read, pool)

    def _whole(self, candidate: Candidate) -> ReadImage:
        """What was read, with the fingerprint that was put away."""
        slot = candidate.entry.slot if candidate.entry is not None else None
        if slot is None:
            return candidate.read
        return replace(candidate.read, fingerprint=np.frombuffer(self._prints.read(slot), np.uint8))

    def _compare_slices(self, candidate: Candidate, read: ReadImage, pool: ImagePool) -> None:
        across = "test" if candidate.split == "train" else "train"
        found = pool.matches(read, across)
        if found and self._is_across(candidate, [found[0][0]], _words(found[0][1])):
            return
        if candidate.split == "test" and self._rules.is_test_frozen:
            candidate.turn("refused", "test-set-frozen", "the test set is frozen since the first training run")
            return
        alike = [(entry, match) for entry, match in pool.matches(read, candidate.split) if entry is not candidate.entry]
        candidate.alike += [entry for entry, _ in alike]
        others = [
            entry for entry, match in alike if match.likeness > LEVELS[-1] and entry.class_name != candidate.class_name
        ]
        if others and candidate.status == "accepted":
            self._conflict(candidate, others, "the same slice")
        elif alike and candidate.status == "accepted":
            candidate.note_alike(*alike[0])

    def _is_across(self, candidate: Candidate, twins: list[PoolEntry], what: str) -> bool:
        """Whether the image stands on the other side of the split already; it is then refused."""
        across = [twin.id for twin in twins if twin.split != candidate.split and twin.status == "accepted"]
        if not across:
            return False
        if candidate.split == "train":
            detail = f"{what} is in the test set, which nothing is trained on"
            candidate.turn("refused", "holdout-image", detail, other=across[0])
        else:
            detail = f"{what} may be trained on already, so it cannot test"
            candidate.turn("refused", "training-image", detail, other=across[0])
        return True

    def _conflict(self, candidate: Candidate, others: list[PoolEntry], what: str) -> None:
        """Quarantines an image whose label another contradicts, and that other where it came in the same batch."""
        names = ", ".join(sorted({other.class_name for other in others}))
        candidate.turn("quarantined", "label-conflict", f"{what} came as {names} too", other=others[0].id)
        for other in others:
            twin = self._of_entry.get(other.id)
            if twin is not None and twin.status == "accepted":
                detail = f"{what} came as {candidate.class_name} too"
                twin.turn("quarantined", "label-conflict", detail, other=candidate.image_id)

    def _look_at(self, candidate: Candidate) -> None:
        """Asks what the served model and the classes say."""
        read, name = candidate.read, candidate.class_name
        if read.foreign is not None:
            self._hear_gate(candidate, read.foreign)
        if name not in self._known_classes and not self._rules.takes_new_classes:
            known = ", ".join(sorted(self._known_classes)) or "none"
            candidate.turn("quarantined", "label-unknown", f"no class has this name; the classes are {known}")
        if candidate.split == "train" and candidate.given_group in self._test_groups:
            candidate.turn("quarantined", "holdout-group", "its group has images in the test set")
        answer = read.answer
        if answer is None or name not in answer.probabilities or self._rules.source == "feedback":
            return
        candidate.is_judged = True
        if is_doubted(answer, name):
            given, best = answer.probabilities[name], answer.probabilities[answer.predicted_class]
            candidate.is_doubted = True
            candidate.reasons.append(
                {
                    "code": DOUBTED,
                    "detail": f"the model gives {answer.predicted_class} {best:.3f} and {name} {given:.3f}",
                }
            )

    def _hear_gate(self, candidate: Candidate, foreign: NotAChestCt) -> None:
        """A test set stays as it was delivered, and a person who confirmed a class has seen the picture."""
        detail = "; ".join(foreign.reasons) or foreign.detail
        if candidate.split == "train" and self._rules.source != "feedback":
            candidate.turn("quarantined", foreign.code, detail)
        else:
            candidate.reasons.append({"code": foreign.code, "detail": detail})

    def _quarantine_held_groups(self) -> None:
        """Where one image of a named patient or series is in the test set, the others are no strangers to it."""
        held = {c.given_group for c in self.candidates if c.code == "holdout-image" and c.given_group is not None}
        for candidate in self.candidates:
            if candidate.status == "accepted" and candidate.split == "train" and candidate.given_group in held:
                candidate.turn("quarantined", "holdout-group", "another image of its group is in the test set")

    def _quarantine_doubted(self) -> None:
        """A few doubted labels teach what the model gets wrong; many say that the batch is mislabelled."""
        judged = [c for c in self.candidates if c.is_kept and c.is_judged]
        doubted = [c for c in judged if c.is_doubted]
        if self._rules.source != "upload" or len(doubted) < _DOUBTED_LEAST:
            return
        if len(doubted) <= _DOUBTED_SHARE * len(judged):
            return
        for candidate in doubted:
            if candidate.status == "accepted":
                candidate.status = "quarantined"
                if candidate.entry is not None:
                    candidate.entry.status = "quarantined"

    def _join_groups(self) -> dict[str, str]:
        kept = [candidate for candidate in self.candidates if candidate.is_kept]
        given = {candidate.given_group for candidate in kept if candidate.given_group is not None}
        joined = JoinedGroups(self._stored_groups, given=given)
        for candidate in kept:
            for entry in candidate.alike:
                joined.join(candidate.group, entry.group)
        for candidate in kept:
            candidate.group = joined.name_of(candidate.group)
        return joined.renamed_stored()


def is_doubted(answer: ModelAnswer, class_name: str) -> bool:
    """Whether the model contradicts a label, of a class that it knows: it gives it little and is sure of another."""
    given, best = answer.probabilities[class_name], answer.probabilities[answer.predicted_class]
    return given < _DOUBTED_BELOW and best >= answer.confident_above


def _words(match: Match) -> str:
    if match.kind == "near-copy":
        return f"nearly the same image (cosine {match.likeness:.3f})"
    return f"the same slice under another crop (cosine {match.likeness:.3f} once fitted)"
