"""Whatever is done to a valid file, the decoder answers with a slice or a refusal and never with anything else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dicom_files as dcm
import raster_files as img
from hilum.errors import InputRejected
from hilum.imaging.decode import Limits, decode

_VALID = {
    "png": img.png(),
    "png-adam7": img.png(is_interlaced=True),
    "png-palette": img.png(color=3, before=img.chunk(b"PLTE", bytes(768))),
    "jpeg": img.jpeg(),
    "jpeg-progressive": img.saved("JPEG", img.colored(), progressive=True),
    "tiff": img.tiff(),
    "tiff-lzw": img.saved("TIFF", img.colored(), compression="tiff_lzw"),
    "bigtiff": img.tiff(is_big=True),
    "bmp": img.bmp(),
    "bmp-masked": img.bmp_masked(np.dstack([img.PICTURE] * 4)),
    "webp": img.webp(),
    "webp-lossy": img.saved("WEBP", img.colored(), quality=60),
    "dicom": dcm.dicom(),
    "dicom-implicit": dcm.dicom(syntax=dcm.IMPLICIT),
    "dicom-big-endian": dcm.dicom(syntax=dcm.BIG),
    "dicom-rle": dcm.dicom(syntax=dcm.RLE, encapsulated=dcm.encoded(dcm.RLE)),
    "dicom-jpeg-ls": dcm.dicom(syntax=dcm.JPEG_LS, encapsulated=dcm.encoded(dcm.JPEG_LS)),
    "dicom-j2k": dcm.dicom(syntax=dcm.J2K, encapsulated=dcm.encoded(dcm.J2K)),
}

_FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _answers(data: bytes) -> None:
    try:
        ct_slice = decode(data, name="slice")
    except InputRejected:
        return
    assert ct_slice.pixels.ndim == 2
    assert ct_slice.pixels.dtype in {np.dtype(np.uint8), np.dtype(np.float32)}
    assert np.isfinite(ct_slice.pixels).all()
    assert ct_slice.pixels.min() >= 0
    assert ct_slice.pixels.max() <= 255


@pytest.mark.parametrize("kind", _VALID)
@given(data=st.data())
@_FEW
def test_changed_bytes(kind: str, data: st.DataObject) -> None:
    changed = bytearray(_VALID[kind])
    # Headers decide most, so most changes fall there.
    places = st.one_of(st.integers(0, min(400, len(changed)) - 1), st.integers(0, len(changed) - 1))
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=6)):
        changed[place] = value
    _answers(bytes(changed))


@pytest.mark.parametrize("kind", _VALID)
@given(data=st.data())
@_FEW
def test_cut_or_spliced_files(kind: str, data: st.DataObject) -> None:
    whole = _VALID[kind]
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    middle = data.draw(st.binary(max_size=40))
    _answers(whole[:start] + middle + whole[stop:])


@pytest.mark.parametrize("kind", _VALID)
@given(part=st.integers(1, 99))
@_FEW
def test_a_cut_file_is_never_accepted(kind: str, part: int) -> None:
    whole = _VALID[kind]
    with pytest.raises(InputRejected):
        decode(whole[: len(whole) * part // 100])


@given(data=st.binary(max_size=400))
@_FEW
def test_noise(data: bytes) -> None:
    _answers(data)


@given(side=st.integers(1, 200), pixels=st.integers(100, 40_000))
@_FEW
def test_caps_hold_before_decoding(side: int, pixels: int) -> None:
    limits = Limits(pixels=pixels, max_side=150)
    data = img.png(np.zeros((side, side), np.uint8))
    if 16 <= side <= 150 and side * side <= pixels:
        assert decode(data, limits=limits).pixels.shape == (side, side)
    else:
        with pytest.raises(InputRejected) as caught:
            decode(data, limits=limits)
        assert caught.value.code in {"image-too-small", "image-too-large"}
