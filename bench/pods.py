"""Pods that answer predictions, simulated event by event: arrivals, queues, refusals, starts. Measures nothing."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.hpa import SYNC_S, Autoscaler, PodMetrics, Settings

OBJECTIVE_S = 0.2
_SCRAPE_S = 15.0


@dataclass(frozen=True)
class Load:
    """Requests a second: `base` until `spike_at_s`, `factor` times that for `spike_s`, then `base` again."""

    base: float
    factor: float = 10.0
    spike_at_s: float = 120.0
    spike_s: float = 240.0
    end_s: float = 900.0

    def rate(self, now: float) -> float:
        """Requests a second at a time."""
        is_spike = self.spike_at_s <= now < self.spike_at_s + self.spike_s
        return self.base * (self.factor if is_spike else 1)


@dataclass(frozen=True)
class PodKind:
    """What a pod is.

    Attributes:
        services_s: measured times of predictions; drawn from at random.
        threads: predictions computed at once; the processor's limit, where one core is requested.
        max_waiting: that may wait; more are refused.
        max_wait_s: what would wait longer for a thread is refused (HILUM_MAX_WAIT_MS).
        start_s: from being asked for until ready.
    """

    services_s: Sequence[float]
    threads: int = 2
    max_waiting: int = 128
    max_wait_s: float = 0.5
    start_s: float = 8.0


@dataclass
class _Pod:
    """One pod: when each of its threads will be free, and when what it has taken will be done."""

    ready_at: float
    free_at: list[float]
    ends: list[float] = field(default_factory=list)
    given_s: float = 0.0
    scraped: PodMetrics | None = None
    scraped_busy_s: float = 0.0

    def under_way(self, now: float) -> int:
        """Predictions computing or waiting."""
        while self.ends and self.ends[0] <= now:
            heapq.heappop(self.ends)
        return len(self.ends)

    def busy_s(self, now: float) -> float:
        """Processor seconds used: what it was given, less what is still to be done."""
        return self.given_s - sum(max(0.0, at - now) for at in self.free_at)

    def take(self, now: float, service_s: float) -> float:
        """Computes one more, once a thread is free; when it will be done."""
        end = max(now, self.free_at[0]) + service_s
        heapq.heapreplace(self.free_at, end)
        heapq.heappush(self.ends, end)
        self.given_s += service_s
        return end


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        over_s: seconds in which p95 was above the objective or something was refused.
        refused: requests answered 503.
        pod_s: seconds that pods existed, all added.
        most_pods: at once.
    """

    requests: int
    over_s: int
    refused: int
    pod_s: float
    most_pods: int

    @property
    def refused_share(self) -> float:
        """Of all requests."""
        return self.refused / self.requests


class Simulation:
    """One run through a load."""

    def __init__(self, load: Load, kind: PodKind, settings: Settings, seed: int) -> None:
        """Starts with the pods that the base load has had for long."""
        self._load, self._kind = load, kind
        self._rng = random.Random(seed)
        self._scaler = Autoscaler(settings)
        self._pods = [self._new_pod(0.0) for _ in range(settings.min_replicas)]
        self._ready = list(self._pods)
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = itertools.count()
        self._latencies: dict[int, list[float]] = {}
        self._refusals: dict[int, int] = {}
        self._pod_s = 0.0
        self._most_pods = 0

    def run(self) -> Outcome:
        """Runs to the load's end."""
        self._at(_SCRAPE_S, self._scrape)
        self._at(SYNC_S * 1.5, self._sync)  # scrape and sync are not in step
        now, requests = 0.0, 0
        while now < self._load.end_s:
            while self._events[0][0] <= now:
                when, _, happen = heapq.heappop(self._events)
                happen(when)
            self._answer(now)
            requests += 1
            now += self._rng.expovariate(self._load.rate(now))
        late = {second for second, values in self._latencies.items() if _percentile_95(values) > OBJECTIVE_S}
        refused = sum(self._refusals.values())
        return Outcome(requests, len(late | set(self._refusals)), refused, self._pod_s, self._most_pods)

    def _new_pod(self, ready_at: float) -> _Pod:
        return _Pod(ready_at, [0.0] * self._kind.threads)

    def _at(self, when: float, happen: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), happen))

    def _answer(self, now: float) -> None:
        pod = self._rng.choice(self._ready)  # a Service picks at random
        is_full = pod.under_way(now) >= self._kind.threads + self._kind.max_waiting
        if is_full or pod.free_at[0] - now > self._kind.max_wait_s:
            self._refusals[int(now)] = self._refusals.get(int(now), 0) + 1
            return
        end = pod.take(now, self._rng.choice(self._kind.services_s))
        self._latencies.setdefault(int(now), []).append(end - now)

    def _scrape(self, now: float) -> None:
        """Processor use is the mean since the scrape before, predictions under way are those of the moment."""
        for pod in self._pods:
            busy_s = pod.busy_s(now)
            if pod.ready_at <= now:
                cpu_percent = (busy_s - pod.scraped_busy_s) / _SCRAPE_S * 100
                pod.scraped = PodMetrics(True, cpu_percent, pod.under_way(now))
            pod.scraped_busy_s = busy_s
        self._at(now + _SCRAPE_S, self._scrape)

    def _sync(self, now: float) -> None:
        self._pod_s += len(self._pods) * SYNC_S
        self._most_pods = max(self._most_pods, len(self._pods))
        metrics = [pod.scraped or PodMetrics(pod.ready_at <= now, None, None) for pod in self._pods]
        wanted = self._scaler.decide(now, metrics)
        for _ in range(wanted - len(self._pods)):
            self._pods.append(self._new_pod(now + self._kind.start_s))
            self._at(now + self._kind.start_s, self._note_ready)
        self._pods = self._pods[:wanted]  # those begun last go first, and drain
        self._note_ready(now)
        self._at(now + SYNC_S, self._sync)

    def _note_ready(self, now: float) -> None:
        self._ready = [pod for pod in self._pods if pod.ready_at <= now]


def _percentile_95(values: list[float]) -> float:
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]
