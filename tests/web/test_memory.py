"""Large blocks go back to the system, where the C library can be told to."""

from __future__ import annotations

import platform

import pytest

from hilum.web.memory import give_large_blocks_back


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_glibc_takes_the_limit() -> None:
    assert give_large_blocks_back()
