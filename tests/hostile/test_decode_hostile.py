"""Every hostile input gets its stated answer from the decoder, quickly, in bounded memory, and harms no later one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hostile_cases import HOSTILE_CASES, Case

import raster_files as img
from hilum.errors import InputRejected
from hilum.imaging.decode import decode

_BOMBS = tuple(case for case in HOSTILE_CASES if case.is_bomb)
_MAX_BOMB_GROWTH_MB = 64

_CHILD = """
import json, sys, time
from hilum.errors import InputRejected
from hilum.imaging.decode import decode

def kilobytes(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":"))

good, bad = sys.stdin.buffer.read(int(sys.argv[1])), sys.stdin.buffer.read()
decode(good)
with open("/proc/self/clear_refs", "w") as refs:
    refs.write("5")
before, started, code = kilobytes("VmHWM"), time.process_time(), None
try:
    decode(bad)
except InputRejected as error:
    code = error.code
print(json.dumps({"code": code, "seconds": time.process_time() - started, "growth_kb": kilobytes("VmHWM") - before}))
"""


@pytest.mark.parametrize("case", HOSTILE_CASES, ids=str)
def test_gets_its_answer(case: Case) -> None:
    data = case.make()
    started_at = time.perf_counter()
    if case.code is None:
        ct_slice = decode(data, name=case.filename)
        assert ct_slice.warnings == case.warnings
        assert np.isfinite(ct_slice.pixels).all()
        assert ct_slice.pixels.min() >= 0
        assert ct_slice.pixels.max() <= 255
        if case.twin is not None:
            expected = decode(case.twin()).pixels
            assert ct_slice.pixels.shape == expected.shape
            off = np.abs(ct_slice.pixels.astype(np.float32) - expected.astype(np.float32)).max()
            assert off <= case.tolerance
    else:
        with pytest.raises(InputRejected) as caught:
            decode(data, name=case.filename)
        assert (caught.value.code, caught.value.status) == (case.code, case.status)
        assert len(caught.value.detail) < 400
    assert time.perf_counter() - started_at < 5
    assert np.array_equal(decode(img.png()).pixels, img.PICTURE)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize("case", _BOMBS, ids=str)
def test_bomb_stays_small(case: Case) -> None:
    good = img.png()
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, str(len(good))], input=good + case.make(), capture_output=True, check=True
    )
    measured = json.loads(child.stdout)
    assert measured["code"] == case.code
    assert measured["seconds"] < 5
    assert measured["growth_kb"] < _MAX_BOMB_GROWTH_MB * 1024


def test_every_row_has_a_case() -> None:
    rows = {case.id for case in HOSTILE_CASES}
    assert rows == {f"H{n:02}" for n in (*range(1, 30), *range(45, 57), 59, 60, 64, 65)}
    names = [str(case) for case in HOSTILE_CASES]
    assert len(names) == len(set(names))
