"""Grey pictures stored in colour are read as one channel; anything else is left to the general way."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hilum.imaging.limits import Limits
from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.png import read_png
from hilum.imaging.raster import to_grey
from hilum.imaging.scanlines import inflated, one_channel, stored

_GREY = draw_phantom(5, side=48)[:31, :37]
_EVERY_FILTER = np.arange(31, dtype=np.uint8) % 5


def _filtered(samples: NDArray[np.uint8], filters: NDArray[np.uint8]) -> bytearray:
    """Filters samples (H, W, C) by the formulas of ISO/IEC 15948, section 9.2, one filter a row."""
    height, width, channels = samples.shape
    wide = samples.astype(int)
    left = np.concatenate([np.zeros((height, 1, channels), int), wide[:, :-1]], axis=1)
    up = np.concatenate([np.zeros((1, width, channels), int), wide[:-1]])
    corner = np.concatenate([np.zeros((height, 1, channels), int), up[:, :-1]], axis=1)
    guess = left + up - corner
    nearest = np.argmin([abs(guess - one) for one in (left, up, corner)], axis=0)
    predicted = np.stack([0 * wide, left, up, (left + up) // 2, np.choose(nearest, [left, up, corner])])
    rows = [(wide[y] - predicted[filters[y] if filters[y] < 5 else 0, y]) % 256 for y in range(height)]
    return bytearray(b"".join(bytes([kind, *row.ravel()]) for kind, row in zip(filters, rows, strict=True)))


def _rgba(grey: NDArray[np.uint8] = _GREY) -> NDArray[np.uint8]:
    return np.dstack([grey, grey, grey, np.full_like(grey, 255)])


def _png(samples: NDArray[np.uint8], filters: NDArray[np.uint8] = _EVERY_FILTER) -> bytes:
    height, width, channels = samples.shape
    packed = zlib.compress(bytes(_filtered(samples, filters)))
    head = struct.pack(">IIBBBBB", width, height, 8, {3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", packed[:50]), (b"IDAT", packed[50:]), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + zlib.crc32(kind + body).to_bytes(4) for kind, body in chunks
    )


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("first", range(5))
def test_grey_pixels_are_read_as_one_channel(channels: int, first: int) -> None:
    raster = read_png(_png(_rgba()[..., :channels], (_EVERY_FILTER + first) % 5), Limits())
    assert raster.layout == "L"
    assert raster.mode == {3: "RGB", 4: "RGBA"}[channels]
    grey, warnings = to_grey(raster)
    assert np.array_equal(grey, _GREY)
    assert warnings == ()


@settings(max_examples=60, deadline=None)
@given(y=st.integers(0, 30), x=st.integers(0, 36), channel=st.integers(0, 3), by=st.integers(1, 255), data=st.data())
def test_one_other_sample_is_noticed(y: int, x: int, channel: int, by: int, data: st.DataObject) -> None:
    samples = _rgba()
    samples[y, x, channel] = (int(samples[y, x, channel]) + by) % 256
    filters = np.array(data.draw(st.lists(st.integers(0, 4), min_size=31, max_size=31)), np.uint8)
    assert one_channel(_filtered(samples, filters), 37, 31, 4) is None
    raster = read_png(_png(samples, filters), Limits())
    assert raster.layout == "BGRA"
    assert np.array_equal(raster.samples, samples[..., [2, 1, 0, 3]])


def test_an_unknown_filter_is_left_to_libpng() -> None:
    filters = _EVERY_FILTER.copy()
    filters[7] = 5
    assert one_channel(_filtered(_rgba(), filters), 37, 31, 4) is None


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 200_000])
def test_stored_rows_come_back(size: int) -> None:
    rows = bytearray(np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes())
    packed = stored(rows)
    assert zlib.decompress(packed) == rows
    assert inflated([memoryview(packed[:9]), memoryview(packed[9:])], size) == rows


@pytest.mark.parametrize("size", [99, 101])
def test_rows_of_another_size_are_left_to_libpng(size: int) -> None:
    assert inflated([memoryview(zlib.compress(bytes(100)))], size) is None


def test_a_wrong_adler_is_left_to_libpng() -> None:
    packed = zlib.compress(bytes(100))
    assert inflated([memoryview(packed[:-1] + bytes([packed[-1] ^ 1]))], 100) is None
