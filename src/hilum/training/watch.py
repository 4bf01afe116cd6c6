"""Who watches a training more closely than by its stages: each epoch's metrics, each batch. Knows no data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Progress = Callable[[str, float, str], None]
"""Called with the stage, its share done (0..1) and a few words."""


def _ignore_epoch(stage: str, row: Mapping[str, float]) -> None: ...


def _ignore_batch(stage: str, share: float) -> None: ...


def _go_on(taken_s: float) -> None: ...


@dataclass(frozen=True)
class Watch:
    """What is called as a training goes on. What a call raises ends the training, which another call then resumes.

    Attributes:
        on_epoch: with the stage and the epoch's metrics, as the history has them.
        on_batch: with the stage and its share done (0..1), between batches of every kind.
        rest: with the seconds that a slice's features took, in the thread that took them, which it may hold up.
    """

    on_epoch: Callable[[str, Mapping[str, float]], None] = _ignore_epoch
    on_batch: Callable[[str, float], None] = _ignore_batch
    rest: Callable[[float], None] = _go_on
