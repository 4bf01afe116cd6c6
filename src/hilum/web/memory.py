"""How memory is given back: by the C library, of which glibc alone is known, and by Python's collector."""

from __future__ import annotations

import ctypes
import gc
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


def leave_out_of_collections() -> None:
    """Lets Python's collector look no more at what was made so far: modules, routes and shapes, which stay.

    A full collection otherwise goes through these 140,000 objects, which takes a tenth of a second and more, and
    nothing is answered meanwhile, neither a refusal nor a probe.
    """
    gc.freeze()
