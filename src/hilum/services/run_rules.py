"""What a training run may be asked for, how it stands and how it ends. Values only; knows no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from hilum.errors import TrainingDataInsufficient

Mode = Literal["head", "full"]
Policy = Literal["auto", "approve", "manual"]

LEAST_OF_A_CLASS = 5
"""Images of each class that training needs, as `hilum.training.pipeline` does."""


class RunStatus(StrEnum):
    """How a run stands; the first two are active, the others have ended."""

    QUEUED = "queued"
    RUNNING = "running"
    PROMOTED = "promoted"
    AWAITING_APPROVAL = "awaiting-approval"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_active(self) -> bool:
        """Whether the run is still to do something."""
        return self in {RunStatus.QUEUED, RunStatus.RUNNING}


class FrozenImage(Protocol):
    """An image of a snapshot."""

    @property
    def class_name(self) -> str:
        """Its label."""
        ...

    @property
    def split(self) -> str:
        """`test`, or what is learnt from."""
        ...


class Frozen(Protocol):
    """A snapshot of the labelled images."""

    @property
    def digest(self) -> str:
        """That of its manifest."""
        ...

    @property
    def class_names(self) -> Sequence[str]:
        """The classes, sorted."""
        ...

    @property
    def images(self) -> Sequence[FrozenImage]:
        """Its images."""
        ...


class Snapshots(Protocol):
    """Freezes what may be trained on."""

    def snapshot(self) -> Frozen:
        """The labelled images as they are now."""
        ...


@dataclass(frozen=True)
class Champion:
    """The model that runs start from."""

    version: str
    class_names: tuple[str, ...]


def check_sufficient(frozen: Frozen, mode: Mode, champion: Champion) -> int:
    """Counts the images to learn from: in head mode those of the champion's classes, which it needs all of.

    Raises:
        TrainingDataInsufficient: there are too few images of a class.
    """
    names = champion.class_names if mode == "head" else tuple(frozen.class_names)
    found = Counter(image.class_name for image in frozen.images if image.split != "test")
    for name in names:
        if found[name] < LEAST_OF_A_CLASS:
            raise TrainingDataInsufficient(
                f"class {name!r} has {found[name]} labelled images to learn from; training needs {LEAST_OF_A_CLASS}",
                limit=LEAST_OF_A_CLASS,
                actual=found[name],
            )
    return sum(found[name] for name in names)


def decided_status(policy: str, verdict: str) -> RunStatus:
    """How a run ends once its model is registered and compared.

    Args:
        policy: `auto` promotes what the gate lets through; `approve` lets a person decide on that; `manual` lets a
            person decide whatever the gate says.
        verdict: the report's, `promote` or `refuse`.
    """
    if policy == "manual":
        return RunStatus.AWAITING_APPROVAL
    if verdict != "promote":
        return RunStatus.REFUSED
    return RunStatus.PROMOTED if policy == "auto" else RunStatus.AWAITING_APPROVAL
