"""The rules of Kubernetes' HorizontalPodAutoscaler (autoscaling/v2), as its controller applies them. Knows no load.

Source: kubernetes/pkg/controller/podautoscaler (horizontal.go, replica_calculator.go) and its documentation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

SYNC_S = 15.0
TOLERANCE = 0.1


@dataclass(frozen=True)
class Policy:
    """How much may change in how long: `kind` is `Percent` or `Pods`."""

    kind: str
    value: int
    period_s: int


@dataclass(frozen=True)
class Rules:
    """One direction: the window whose recommendations count, and policies, of which the one that allows most wins."""

    window_s: int
    policies: tuple[Policy, ...]


@dataclass(frozen=True)
class Settings:
    """What the manifest says.

    Attributes:
        cpu_percent: target of processor use, in percent of what a pod requests.
        under_way: target of predictions under way in each pod; None where that metric is not used.
    """

    min_replicas: int
    max_replicas: int
    cpu_percent: int
    under_way: int | None
    up: Rules
    down: Rules


@dataclass(frozen=True)
class PodMetrics:
    """What is known of one pod: None where there is no metric yet."""

    is_ready: bool
    cpu_percent: float | None
    under_way: float | None


@dataclass
class Autoscaler:
    """One autoscaler and what it remembers."""

    settings: Settings
    _recommended: list[tuple[float, int]] = field(default_factory=list)
    _changes: list[tuple[float, int]] = field(default_factory=list)

    def decide(self, now: float, pods: Sequence[PodMetrics]) -> int:
        """How many pods there are to be, given those there are."""
        current = len(pods)
        wanted = desired(current, pods, "cpu_percent", self.settings.cpu_percent)
        if self.settings.under_way is not None:
            wanted = max(wanted, desired(current, pods, "under_way", self.settings.under_way))
        decided = self._limited(now, current, self._stabilised(now, current, wanted))
        if decided != current:
            self._changes.append((now, decided - current))
        return decided

    def _stabilised(self, now: float, current: int, wanted: int) -> int:
        """Up: the least recommended within the window for up; down: the most within the window for down."""
        up, down = self.settings.up.window_s, self.settings.down.window_s
        least = min([wanted, *(one for at, one in self._recommended if at > now - up)])
        most = max([wanted, *(one for at, one in self._recommended if at > now - down)])
        self._recommended = [*((at, one) for at, one in self._recommended if at > now - max(up, down)), (now, wanted)]
        return min(max(current, least), most)

    def _limited(self, now: float, current: int, wanted: int) -> int:
        if wanted > current:
            allowed = max(self._most(now, current, policy) for policy in self.settings.up.policies)
            wanted = min(wanted, max(current, allowed))
        elif wanted < current:
            allowed = min(self._least(now, current, policy) for policy in self.settings.down.policies)
            wanted = max(wanted, min(current, allowed))
        return min(max(wanted, self.settings.min_replicas), self.settings.max_replicas)

    def _most(self, now: float, current: int, policy: Policy) -> int:
        began_with = current - sum(by for at, by in self._changes if at > now - policy.period_s and by > 0)
        added = policy.value if policy.kind == "Pods" else math.ceil(began_with * policy.value / 100)
        return began_with + added

    def _least(self, now: float, current: int, policy: Policy) -> int:
        began_with = current - sum(by for at, by in self._changes if at > now - policy.period_s and by < 0)
        if policy.kind == "Pods":
            return began_with - policy.value
        return math.ceil(began_with * (1 - policy.value / 100))


def desired(current: int, pods: Sequence[PodMetrics], metric: str, target: float) -> int:
    """How many pods one metric asks for.

    Pods that are not ready or have no metric yet are left aside; where more are asked for they count as idle, and where
    that turns the answer nothing is changed.
    """
    known: list[float] = [getattr(pod, metric) for pod in pods if pod.is_ready and getattr(pod, metric) is not None]
    if not known:
        return current
    ratio = sum(known) / len(known) / target
    n_aside = len(pods) - len(known)
    if not n_aside or ratio < 1:
        return current if abs(ratio - 1) <= TOLERANCE else math.ceil(ratio * len(known) - 1e-9)
    cautious = sum(known) / len(pods) / target
    if abs(cautious - 1) <= TOLERANCE or cautious < 1:
        return current
    return max(current, math.ceil(cautious * len(pods) - 1e-9))
