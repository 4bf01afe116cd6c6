"""Places in a list by time as text that a client hands back unread. Knows no database."""

from __future__ import annotations

import base64
import uuid
from datetime import datetime

from hilum.errors import CursorInvalid
from hilum.services.history import Place

_LONGEST = 200


def cursor_of(place: Place) -> str:
    """The cursor of the page after `place`."""
    return base64.urlsafe_b64encode(f"{place[0].isoformat()} {place[1].hex}".encode()).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """The place a cursor names.

    Raises:
        CursorInvalid: no page named it.
    """
    try:
        padded = cursor[:_LONGEST] + "=" * (-len(cursor) % 4)
        moment, _, key = base64.b64decode(padded.encode("ascii"), b"-_", validate=True).decode("ascii").partition(" ")
        at = datetime.fromisoformat(moment)
        place = at, uuid.UUID(key)
    except ValueError:
        place = None
    if place is None or place[0].tzinfo is None or cursor_of(place) != cursor:
        raise CursorInvalid("this is no cursor that a page of this list named")
    return place
