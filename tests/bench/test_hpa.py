"""The autoscaler's rules, on cases from Kubernetes' documentation, and the simulation that uses them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench.hpa import Autoscaler, PodMetrics, Policy, Rules, Settings, desired
from bench.pods import Load, PodKind, Simulation

_ANY = (Policy("Percent", 10_000, 15),)
SETTINGS = Settings(1, 50, 50, None, Rules(0, _ANY), Rules(0, (Policy("Percent", 100, 15),)))


def _pods(*cpu_percent: float | None, ready: bool = True) -> list[PodMetrics]:
    return [PodMetrics(ready, value, None) for value in cpu_percent]


@pytest.mark.parametrize(
    ("used", "wanted"), [((100, 100), 4), ((25, 25), 1), ((50, 50), 2), ((54, 54), 2), ((46, 46), 2), ((60, 60), 3)]
)
def test_the_ratio_decides_and_a_tenth_is_tolerated(used: tuple[float, ...], wanted: int) -> None:
    assert desired(2, _pods(*used), "cpu_percent", 50) == wanted


def test_pods_that_are_not_ready_count_as_idle_where_more_are_asked_for() -> None:
    pods = _pods(200, 200) + _pods(None, None, ready=False)
    assert desired(4, pods, "cpu_percent", 50) == 8
    assert desired(4, _pods(60, 60) + _pods(None, None, ready=False), "cpu_percent", 50) == 4


def test_pods_without_a_metric_are_left_aside_where_fewer_are_asked_for() -> None:
    assert desired(3, [*_pods(10, 10), PodMetrics(True, None, None)], "cpu_percent", 50) == 1


def test_the_metric_that_asks_for_most_wins() -> None:
    scaler = Autoscaler(replace(SETTINGS, under_way=4))
    assert scaler.decide(0, [PodMetrics(True, 50, 12), PodMetrics(True, 50, 12)]) == 6


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [
        ((Policy("Percent", 100, 15),), 4),
        ((Policy("Pods", 4, 15),), 6),
        ((Policy("Percent", 100, 15), Policy("Pods", 4, 15)), 6),
        ((Policy("Percent", 300, 15), Policy("Pods", 4, 15)), 8),
    ],
)
def test_of_the_policies_the_one_that_allows_most_limits(policies: tuple[Policy, ...], allowed: int) -> None:
    scaler = Autoscaler(replace(SETTINGS, up=Rules(0, policies)))
    assert scaler.decide(0, _pods(2000, 2000)) == allowed


def test_a_policy_counts_what_was_added_in_its_period() -> None:
    scaler = Autoscaler(replace(SETTINGS, up=Rules(0, (Policy("Pods", 4, 60),))))
    assert scaler.decide(0, _pods(2000, 2000)) == 6
    assert scaler.decide(15, _pods(*6 * [2000.0])) == 6
    assert scaler.decide(61, _pods(*6 * [2000.0])) == 10


def test_fewer_come_only_after_the_window_and_as_slowly_as_the_policy_says() -> None:
    scaler = Autoscaler(replace(SETTINGS, down=Rules(60, (Policy("Percent", 50, 60),))))
    assert scaler.decide(0, _pods(*8 * [50.0])) == 8
    assert [scaler.decide(at, _pods(*8 * [5.0])) for at in (15, 30, 45)] == [8, 8, 8]
    assert scaler.decide(61, _pods(*8 * [5.0])) == 4
    assert scaler.decide(76, _pods(*4 * [5.0])) == 4


def test_the_number_stays_within_its_limits() -> None:
    scaler = Autoscaler(replace(SETTINGS, min_replicas=2, max_replicas=5))
    assert scaler.decide(0, _pods(2000, 2000)) == 5
    assert scaler.decide(100, _pods(0.1, 0.1, 0.1)) == 2


def test_a_spike_is_answered_by_more_pods_and_passes() -> None:
    load = Load(base=20, factor=10, spike_at_s=30, spike_s=120, end_s=400)
    settings = Settings(1, 20, 60, 4, Rules(0, (Policy("Percent", 300, 15),)), Rules(60, (Policy("Percent", 50, 60),)))
    kind = PodKind([0.02], start_s=5)
    grown = Simulation(load, kind, settings, seed=1).run()
    fixed = Simulation(load, kind, replace(settings, max_replicas=1), seed=1).run()
    assert grown.most_pods > 1
    assert fixed.most_pods == 1
    assert grown.over_s < 60 < fixed.over_s
    assert grown.refused < fixed.refused
    assert fixed.requests == pytest.approx(20 * 280 + 200 * 120, rel=0.1)
    assert fixed.refused_share == pytest.approx(1 - 100 / 200, abs=0.2)


def test_without_a_spike_nothing_is_late_or_refused() -> None:
    outcome = Simulation(Load(base=20, factor=1, end_s=200), PodKind([0.02]), SETTINGS, seed=1).run()
    assert (outcome.over_s, outcome.refused, outcome.most_pods) == (0, 0, 1)


def test_what_would_wait_too_long_is_refused() -> None:
    load = Load(base=20, factor=10, spike_at_s=10, spike_s=20, end_s=40)
    patient, hasty = (
        Simulation(load, PodKind([0.02], threads=1, max_wait_s=wait_s), replace(SETTINGS, max_replicas=1), seed=1).run()
        for wait_s in (1e9, 0.1)
    )
    assert hasty.refused > patient.refused
    assert hasty.over_s <= patient.over_s
