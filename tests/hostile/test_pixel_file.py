"""The copy that may be kept of a file decodes to the same pixels and holds nothing else of it."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pydicom
import pytest
from hostile_cases import HOSTILE_CASES, Case
from hypothesis import given, settings
from hypothesis import strategies as st

import dicom_files as dcm
from canaries import CANARY, CANARY_FILES, canary_dicom
from hilum.errors import InputRejected
from hilum.imaging.decode import CtSlice, decode

_ACCEPTED = tuple(case for case in HOSTILE_CASES if case.code is None)
_OF_METADATA = {"icc-profile-corrupt"}


def _copied(data: bytes) -> tuple[CtSlice, CtSlice]:
    """The slice of a file and that of its copy."""
    first = decode(data, with_pixel_file=True)
    assert first.pixel_file is not None
    return first, decode(first.pixel_file)


def _same(first: CtSlice, again: CtSlice) -> None:
    assert first.pixels.dtype == again.pixels.dtype
    assert np.array_equal(first.pixels, again.pixels)
    assert set(first.warnings) - set(again.warnings) <= _OF_METADATA


@pytest.mark.parametrize("case", _ACCEPTED, ids=str)
def test_every_accepted_file_gives_the_same_pixels(case: Case) -> None:
    _same(*_copied(case.make()))


@pytest.mark.parametrize("name", CANARY_FILES)
def test_metadata_is_left_out_and_orientation_kept(name: str) -> None:
    first, again = _copied(CANARY_FILES[name]())
    _same(first, again)
    assert first.pixel_file is not None
    assert CANARY[:9].encode() not in first.pixel_file
    copied = decode(first.pixel_file, with_pixel_file=True).pixel_file
    assert copied == first.pixel_file


def test_no_copy_is_made_unless_asked_for() -> None:
    assert decode(dcm.dicom()).pixel_file is None


def test_unused_bits_of_words_are_left_out() -> None:
    clean = dcm.SLICE_HU + 1000
    garbage = clean | ((np.arange(clean.size).reshape(clean.shape) % 16) << 12)
    copies = [_copied(dcm.dicom(pixels=dcm.words(words)))[0].pixel_file for words in (clean, garbage)]
    assert copies[0] == copies[1]


def test_a_file_that_says_its_pixels_show_text_has_no_copy() -> None:
    found = decode(canary_dicom({0x00280301: ("CS", "YES")}), with_pixel_file=True)
    assert found.pixel_file is None
    assert "burned-in-annotation" in found.warnings


@given(
    stored=st.binary(min_size=512, max_size=512),
    bits=st.integers(9, 16),
    is_signed=st.booleans(),
    padding=st.none() | st.integers(0, 65535),
    limit=st.none() | st.integers(0, 65535),
    is_inverted=st.booleans(),
    slope=st.sampled_from(["1", "0.5", "2.7182818", "1e-3"]),
    intercept=st.sampled_from(["-1024", "0", "-8192.25", "1e3"]),
)
@settings(max_examples=150, deadline=None)
def test_any_coding_gives_the_same_pixels(
    stored: bytes, bits: int, is_signed: bool, padding: int | None, limit: int | None, is_inverted: bool,
    slope: str, intercept: str,
) -> None:  # fmt: skip
    changes: dict[int, dcm.Value | None] = {
        0x00280004: ("CS", "MONOCHROME1" if is_inverted else "MONOCHROME2"),
        0x00280010: ("US", 16),
        0x00280011: ("US", 16),
        0x00280101: ("US", bits),
        0x00280102: ("US", bits - 1),
        0x00280103: ("US", int(is_signed)),
        0x00281052: ("DS", intercept),
        0x00281053: ("DS", slope),
    }
    if padding is not None:
        changes[0x00280120] = ("US", padding)
        if limit is not None:
            changes[0x00280121] = ("US", limit)
    _same(*_copied(dcm.dicom(changes, pixels=stored)))


@pytest.mark.parametrize("make", [dcm.dicom, lambda: dcm.dicom(syntax=dcm.J2K, encapsulated=dcm.encoded(dcm.J2K))])
def test_a_copy_of_a_dicom_slice_is_one_to_other_programs(make: Callable[[], bytes]) -> None:
    copy = decode(make(), with_pixel_file=True).pixel_file
    assert copy is not None
    found = pydicom.dcmread(io.BytesIO(copy))
    expected = struct.unpack("<16384H", dcm.words(dcm.SLICE_HU + 1000))
    assert tuple(found.pixel_array.ravel()) == expected


def test_damaged_files_have_no_copy() -> None:
    with pytest.raises(InputRejected):
        decode(dcm.dicom()[:-100], with_pixel_file=True)
