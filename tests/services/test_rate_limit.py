"""Token buckets: a burst after quiet, then the steady rate; names apart; bounded memory."""

from __future__ import annotations

import pytest

from hilum.services import rate_limit
from hilum.services.rate_limit import RateLimit


class Clock:
    """A clock that stands still."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_the_rate() -> None:
    clock = Clock()
    limit = RateLimit(60, clock=clock)

    assert [limit.wait_s("a") for _ in range(60)] == [0] * 60
    assert limit.is_spent("a")
    assert limit.wait_s("a") == 1
    assert not limit.is_spent("b")
    assert limit.wait_s("b") == 0
    clock.now += 2.5
    assert [limit.wait_s("a") for _ in range(3)] == [0, 0, 1]
    clock.now += 3600
    assert [limit.wait_s("a") for _ in range(61)] == [0] * 60 + [1]


@pytest.mark.parametrize(("per_minute", "told"), [(1, 60), (40, 2), (6000, 1)])
def test_waiting_as_told_suffices_and_less_does_not(per_minute: int, told: int) -> None:
    clock = Clock()
    limit = RateLimit(per_minute, clock=clock)

    assert {limit.wait_s("a") for _ in range(per_minute)} == {0}
    assert limit.wait_s("a") == told
    clock.now += 0.9 * 60 / per_minute
    assert limit.is_spent("a")
    clock.now += told - 0.9 * 60 / per_minute
    assert not limit.is_spent("a")
    assert limit.wait_s("a") == 0


def test_no_limit() -> None:
    limit = RateLimit(0)
    assert not any(limit.wait_s("a") for _ in range(1000))
    assert not limit.is_spent("a")


def test_only_so_many_names_are_remembered() -> None:
    limit = RateLimit(1, clock=Clock())
    for number in range(rate_limit._MOST_NAMES + 5):
        limit.wait_s(str(number))

    assert len(limit._buckets) == rate_limit._MOST_NAMES
    assert limit.wait_s(str(rate_limit._MOST_NAMES)) > 0
    assert limit.wait_s("0") == 0
