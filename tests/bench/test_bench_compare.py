"""The comparison judges each server where it keeps its latency, and says which goals were missed."""

from __future__ import annotations

import pytest
from bench.compare import _Found, summarised
from bench.wrk import Load


def _found(rate: float, *, p95_ms: float = 50.0) -> _Found:
    """One round: `rate` at 4 connections, a tenth more at 16 where the p95 is four times as long."""
    loads = {4: _load(rate, p95_ms), 16: _load(rate * 1.1, 4 * p95_ms)}
    return _Found(1.0, {count: [load] for count, load in loads.items()}, {4: [8.0], 16: [9.0]}, 250.0)


def _load(rate: float, p95_ms: float) -> Load:
    return Load(rate, p95_ms / 2, p95_ms, p95_ms * 1.2, p95_ms * 2, round(rate * 5), 0)


def test_the_rate_counts_where_the_latency_is_kept() -> None:
    servers = {
        "hilum": _found(100, p95_ms=60),
        "LitServe": _found(50),
        "BentoML": _found(40),
        "FastAPI + Keras": _found(10),
    }
    rows = summarised(servers, [120.0, 140.0, 130.0])["servers"]
    assert rows["hilum"]["connections"] == 4
    assert rows["hilum"]["requests_per_s"]["median"] == 100
    assert rows["LitServe"]["connections"] == 16
    assert rows["LitServe"]["requests_per_s"]["median"] == pytest.approx(55)


def test_missed_goals_are_named() -> None:
    servers = {"hilum": _found(100), "LitServe": _found(50), "BentoML": _found(80), "FastAPI + Keras": _found(10)}
    results = summarised(servers, [140.0])
    assert results["hilum_over"]["LitServe"] == 2
    assert results["missed_goals"] == ["hilum makes 1.25 of BentoML, 1.5 is the goal"]
