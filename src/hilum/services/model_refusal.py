"""Why a model cannot serve, and when it is worth another try. Knows no model."""

from __future__ import annotations

import time
from dataclasses import dataclass

_LONGEST_REST_S = 60.0


@dataclass(frozen=True)
class Refusal:
    """A champion that could not be loaded.

    Attributes:
        words: why.
        rest_s: it is not tried again for so long, counted up to `again_at` of the monotonic clock.
    """

    version: str
    words: str
    rest_s: float
    again_at: float

    @classmethod
    def after(cls, before: Refusal | None, version: str, *, words: str, rest_s: float) -> Refusal:
        """The next refusal: it rests `rest_s`, or twice as long as the one before where that was of this version."""
        if before is not None and before.version == version:
            rest_s = min(2 * before.rest_s, _LONGEST_REST_S)
        return cls(version, words, rest_s, time.monotonic() + rest_s)

    def is_over(self, version: str) -> bool:
        """Whether `version` is worth a try."""
        return version != self.version or time.monotonic() >= self.again_at
