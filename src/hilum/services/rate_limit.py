"""Token buckets: how often something may happen, by name, in one process. Knows no key and no HTTP."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MOST_NAMES = 10_000


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


class RateLimit:
    """Lets each name through `per_minute` times a minute, as many at once after a quiet minute. Used from one thread.

    Only the names seen most recently are remembered, so that memory is bounded.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes the limit; 0 lets everything through."""
        self.per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def is_spent(self, name: str) -> bool:
        """Whether `wait_s` would refuse `name` now."""
        bucket = self._buckets.get(name)
        if bucket is None:
            return False
        return bucket.tokens + (self._clock() - bucket.filled_at) * self.per_minute / 60 < 1

    def wait_s(self, name: str) -> int:
        """Takes a token of `name`.

        Returns:
            0 where there was one, else whole seconds until there is.
        """
        if self.per_minute == 0:
            return 0
        now = self._clock()
        bucket = self._buckets.pop(name, None) or _Bucket(self.per_minute, now)
        self._buckets[name] = bucket
        if len(self._buckets) > _MOST_NAMES:
            self._buckets.popitem(last=False)
        rate = self.per_minute / 60
        bucket.tokens = min(self.per_minute, bucket.tokens + (now - bucket.filled_at) * rate)
        bucket.filled_at = now
        if bucket.tokens < 1:
            return math.ceil((1 - bucket.tokens) / rate)
        bucket.tokens -= 1
        return 0
