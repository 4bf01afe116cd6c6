"""Runs to store, and snapshots to ask for runs with."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hilum.services.retraining import Retraining
from hilum.services.run_rules import Champion
from hilum.storage.database import Database
from hilum.storage.training_runs import StoredRun

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
ENOUGH = {"adenocarcinoma": 6, "normal": 5}


def stored_run(number: int = 0, **changes: Any) -> StoredRun:
    """Run `number`, queued `number` seconds after noon."""
    made = StoredRun(
        id=uuid.UUID(int=number + 1),
        status="queued",
        mode="head",
        policy="auto",
        note="größer",
        actor="open",
        n_epochs=None,
        snapshot_digest="a" * 64,
        n_images=11,
        parent_version="tiny-1",
        created_at=NOON + timedelta(seconds=number),
    )
    return replace(made, **changes)


@dataclass(frozen=True)
class DrawnImage:
    """An image of a snapshot."""

    class_name: str
    split: str


@dataclass(frozen=True)
class DrawnSnapshot:
    """A snapshot; the digest names no manifest."""

    class_names: tuple[str, ...]
    images: tuple[DrawnImage, ...]
    digest: str = "b" * 64


@dataclass
class DrawnSnapshots:
    """Labelled images by class, and how often they were frozen."""

    counts: Mapping[str, int] = field(default_factory=lambda: ENOUGH)
    n_frozen: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def snapshot(self) -> DrawnSnapshot:
        """Freezes them."""
        with self.lock:
            self.n_frozen += 1
        train = [DrawnImage(name, "train") for name, count in self.counts.items() for _ in range(count)]
        test = [DrawnImage(name, "test") for name in self.counts]
        return DrawnSnapshot(tuple(sorted(self.counts)), (*train, *test))


def open_retraining(url: str, snapshots: DrawnSnapshots | None = None, **others: Any) -> Retraining:
    """A service over a migrated database."""
    given = {"find_champion": lambda: Champion("tiny-1", tuple(ENOUGH)), "find_trouble": lambda: None} | others
    return Retraining(Database(url), snapshots or DrawnSnapshots(), **given)
