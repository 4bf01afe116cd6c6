"""Tells a full disk from other troubles, by what databases and stores say of it. Looks at no disk."""

from __future__ import annotations

_WORDS = ("no space left", "disk is full", "os error 28", "disk quota exceeded", "53100")
"""Linux, SQLite, obstore, quotas, and PostgreSQL's code `disk_full`."""


def is_about_room(error: Exception) -> bool:
    """Whether an error says that there is no room left."""
    said = str(error).lower()
    return any(words in said for words in _WORDS)
