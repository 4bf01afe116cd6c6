"""A DICOM slice written anew: its pixels and what they need, and nothing that came with them. Knows no other header."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hilum.imaging.dicom import DicomSlice
from hilum.imaging.dicom_writer import element, part_10

_CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"


def pixels_of_dicom(ct_slice: DicomSlice) -> bytes:
    """Writes a slice as Explicit VR Little Endian; decoded again it gives the same pixels and warnings.

    Every element is written here from a number or a fixed text: no text of the source is copied, nor are overlays,
    private elements, unused bits of its words or comments in its codestream. It has no UIDs but those of its class.
    """
    return part_10(_CT_IMAGE_STORAGE, _elements(ct_slice))


def _elements(ct_slice: DicomSlice) -> Iterator[bytes]:
    coding = ct_slice.coding
    words, padding = _words(ct_slice)
    yield element(0x00080016, "UI", _CT_IMAGE_STORAGE)
    yield element(0x00080060, "CS", "CT")
    yield element(0x00280002, "US", 1)
    yield element(0x00280004, "CS", ct_slice.photometric)
    yield element(0x00280010, "US", coding.rows)
    yield element(0x00280011, "US", coding.columns)
    yield element(0x00280100, "US", 16)
    yield element(0x00280101, "US", 16)
    yield element(0x00280102, "US", 15)
    yield element(0x00280103, "US", int(coding.is_signed))
    if padding is not None:
        yield element(0x00280120, "US", padding)
    yield element(0x00281052, "DS", _decimal(ct_slice.intercept))
    yield element(0x00281053, "DS", _decimal(ct_slice.slope))
    if "lossy-compression" in ct_slice.warnings:
        yield element(0x00282110, "CS", "01")
    yield element(0x7FE00010, "OW", words)


def _words(ct_slice: DicomSlice) -> tuple[bytes, int | None]:
    """The stored values as 16-bit words, and the word that marks padding."""
    words = ct_slice.stored.astype(np.uint16)  # two's complement of the signed ones
    if ct_slice.padding is None:
        return words.astype("<u2").tobytes(), None
    marked = words[ct_slice.padding]
    unused = _unused_word(words[~ct_slice.padding], marked)
    words[ct_slice.padding] = unused
    return words.astype("<u2").tobytes(), unused


def _unused_word(
    image: np.ndarray[tuple[int, ...], np.dtype[np.uint16]], marked: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]
) -> int:
    """A word that marks padding and is no pixel of the image: one of the source's, else the least that is free."""
    if marked.size and not (image == marked[0]).any():
        return int(marked[0])
    is_free = np.ones(65_536, bool)
    is_free[image] = False
    return int(is_free.argmax())


def _decimal(value: float) -> str:
    """The number, exactly; in 16 characters (PS3.5, 6.2) wherever it came so."""
    return repr(int(value)) if value.is_integer() else repr(value)
