"""How the C library gives memory back. Knows glibc only; elsewhere nothing is changed."""

from __future__ import annotations

import ctypes
import sys

_M_MMAP_THRESHOLD = -3
"""Of `mallopt` in glibc's malloc.h."""

_LARGE_BYTES = 1_000_000


def give_large_blocks_back() -> bool:
    """Makes each block of a megabyte or more a mapping of its own, which goes back to the system once it is freed.

    By itself glibc raises that limit to the largest block it has seen freed, up to 32 MB; decoded pictures then leave
    holes that stay resident.

    Returns:
        Whether that is so now.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES) == 1
