"""What a DICOM slice says of where it belongs, and of whom: for as long as a request lasts, and never shown.

Nothing here is stored, logged or answered; series are told apart by keyed hashes, whose key nobody keeps.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hilum.errors import InputRejected
from hilum.imaging.dicom_elements import DicomFile, walk
from hilum.imaging.dicom_writer import element, part_10
from hilum.imaging.formats import recognise

_PATIENT_NAME, _PATIENT_ID, _BIRTH_DATE, _STUDY, _SERIES = 0x00100010, 0x00100020, 0x00100030, 0x0020000D, 0x0020000E
_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_THICKNESS, _INSTANCE_NUMBER, _POSITION, _ORIENTATION, _LOCATION = (
    0x00180050, 0x00200013, 0x00200032, 0x00200037, 0x00201041,
)  # fmt: skip

_IDENTIFYING = {
    0x00080005: "CS", 0x00080016: "UI", 0x00080018: "UI", 0x00080020: "DA", 0x00080030: "TM", 0x00080050: "SH",
    0x00080060: "CS", 0x00080090: "PN", 0x00100010: "PN", 0x00100020: "LO", 0x00100030: "DA", 0x00100040: "CS",
    0x0020000D: "UI", 0x0020000E: "UI", 0x00200010: "SH",
}  # fmt: skip
"""The elements by which a report says what it is about (PS3.3, A.35): of every other none is read."""

_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_VALID: dict[str, Callable[[str], bool]] = {
    "UI": lambda text: len(text) <= 64 and _UID.fullmatch(text) is not None,
    "DA": lambda text: re.fullmatch(r"[0-9]{8}", text) is not None,
    "TM": lambda text: re.fullmatch(r"[0-9]{2,6}(\.[0-9]{1,6})?", text) is not None,
    "CS": lambda text: len(text) <= 64 and re.fullmatch(r"[A-Z0-9 _\\]*", text) is not None,
}

_LONGEST = {"SH": 16, "LO": 64, "PN": 324}
"""In bytes; a longer value is cut (PS3.5, 6.2 counts characters, of which there are no more)."""


@dataclass(frozen=True)
class SliceHeader:
    """What tells a slice from another one.

    Attributes:
        patient, series: keyed hashes; equal for slices of the same patient, the same series.
        position_mm: along the normal of the slice; None where the file does not say.
        instance_number: None where the file does not say.
        thickness_mm: None where the file does not say.
        reference: a file of the elements that identify the slice, patient and study; None where its UIDs do not.
    """

    patient: bytes = field(repr=False)
    series: bytes = field(repr=False)
    position_mm: float | None
    instance_number: int | None
    thickness_mm: float | None
    reference: bytes | None = field(repr=False)


def read_header(data: bytes, key: bytes, *, with_reference: bool = False) -> SliceHeader | None:
    """Reads where a slice belongs.

    Args:
        data: a file.
        key: of the hashes; made for one request and forgotten with it.
        with_reference: also copies the elements that identify it, for a report about it.

    Returns:
        None where the file is no DICOM file that can be walked.
    """
    try:
        if recognise(data) != "dicom":
            return None
        file = walk(data)
    except InputRejected:
        return None
    patient = "\0".join(_text(file, tag) for tag in (_PATIENT_ID, _PATIENT_NAME, _BIRTH_DATE))
    series = f"{patient}\0{_text(file, _STUDY)}\0{_text(file, _SERIES)}"
    number = _decimals(file, _INSTANCE_NUMBER, 1)
    thickness = _decimals(file, _THICKNESS, 1)
    return SliceHeader(
        patient=_hashed(patient, key),
        series=_hashed(series, key),
        position_mm=_position(file),
        instance_number=int(number[0]) if number else None,
        thickness_mm=thickness[0] if thickness else None,
        reference=_reference(file) if with_reference else None,
    )


def _hashed(text: str, key: bytes) -> bytes:
    return hashlib.blake2b(text.encode(), key=key, digest_size=16).digest()


def _position(file: DicomFile) -> float | None:
    """Where the slice lies along its normal (PS3.3, C.7.6.2.1.1), else its Slice Location."""
    corner, cosines = _decimals(file, _POSITION, 3), _decimals(file, _ORIENTATION, 6)
    if not corner:
        location = _decimals(file, _LOCATION, 1)
        return location[0] if location else None
    a, b, c, d, e, f = cosines or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    return sum(along * at for along, at in zip(normal, corner, strict=True))


def _reference(file: DicomFile) -> bytes | None:
    values = dict(_values(file))
    if not all(values[tag] for tag in (_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES)):
        return None
    return part_10(values[_SOP_CLASS], [element(tag, vr, values[tag]) for tag, vr in _IDENTIFYING.items()])


def _values(file: DicomFile) -> Iterator[tuple[int, str]]:
    """What may be repeated of each element: text without control characters but those of character sets."""
    for tag, vr in _IDENTIFYING.items():
        text = "".join(c for c in _text(file, tag) if c >= " " or c == "\x1b")[: _LONGEST.get(vr)]
        is_valid = _VALID.get(vr)
        yield tag, text if is_valid is None or is_valid(text) else ""


def _text(file: DicomFile, tag: int) -> str:
    try:
        return file.text(tag)
    except InputRejected:
        return ""


def _decimals(file: DicomFile, tag: int, count: int) -> tuple[float, ...]:
    try:
        found = file.decimals(tag)
    except (InputRejected, ValueError):
        return ()
    return found if len(found) == count and all(map(math.isfinite, found)) else ()
