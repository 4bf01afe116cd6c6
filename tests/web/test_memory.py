"""Large blocks go back to the system, where the C library can be told to; what stays costs no collection."""

from __future__ import annotations

import gc
import platform

import pytest

from hilum.web.memory import give_large_blocks_back, leave_out_of_collections


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_glibc_takes_the_limit() -> None:
    assert give_large_blocks_back()


def test_what_was_made_before_is_not_looked_at_again() -> None:
    assert len(gc.get_objects()) > 1000
    try:
        leave_out_of_collections()
        assert len(gc.get_objects()) < 1000
    finally:
        gc.unfreeze()
