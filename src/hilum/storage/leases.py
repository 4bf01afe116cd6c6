"""When a lease is free to take. Knows no table."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import InstrumentedAttribute

CLOCKS_APART = timedelta(minutes=5)
"""Clocks of servers differ by less."""


def has_ended(ends: InstrumentedAttribute[datetime | None], *, now: datetime, until: datetime) -> ColumnElement[bool]:
    """Whether nobody holds a lease any more.

    One that ends much later than a new one would was given before the clock was set back; nobody waits for it.

    Args:
        ends: the column with its end; null where there is none.
        now: the time.
        until: when a lease given now would end.
    """
    return or_(ends.is_(None), ends <= now, ends > until + CLOCKS_APART)
