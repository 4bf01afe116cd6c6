"""Random identifiers without a system call for each, which would hand the interpreter lock to a computing thread."""

from __future__ import annotations

import os
from collections import deque
from uuid import UUID

_BYTES, _DRAWN = 16, 256
_drawn: deque[bytes] = deque()


def new_id() -> UUID:
    """A UUID of version 4 (RFC 9562), as `uuid.uuid4` makes it. Safe to call from several threads."""
    return UUID(bytes=_sixteen_bytes(), version=4)


def new_request_id() -> str:
    """32 random hex digits, for what is told but not kept. Safe to call from several threads."""
    return _sixteen_bytes().hex()


def _sixteen_bytes() -> bytes:
    while True:
        try:
            return _drawn.pop()
        except IndexError:
            randomness = os.urandom(_BYTES * _DRAWN)
            _drawn.extend(randomness[at : at + _BYTES] for at in range(0, len(randomness), _BYTES))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drawn.clear)
