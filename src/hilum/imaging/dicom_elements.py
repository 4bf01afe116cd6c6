"""The elements of a DICOM Part 10 file, walked without recursion and bounded. Knows PS3.5 and PS3.10, no pixels."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from hilum.errors import (
    DicomCorrupt,
    DicomInconsistent,
    DicomTransferSyntax,
    ImageTruncated,
    TrailingData,
    UnsupportedMediaType,
)

PIXEL_DATA = 0x7FE00010

IMPLICIT_LITTLE, EXPLICIT_BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
NATIVE = {IMPLICIT_LITTLE, "1.2.840.10008.1.2.1", EXPLICIT_BIG}
RLE, JPEG_LOSSLESS = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.70"
JPEG_LS = {"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"}
JPEG_2000 = {"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"}
LOSSY = {"1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91"}
_ALLOWED = NATIVE | {RLE, JPEG_LOSSLESS} | JPEG_LS | JPEG_2000

_STORAGE, _SYNTAX = 0x0002, 0x0010  # of group 2
_DIRECTORY_STORAGE = "1.2.840.10008.1.3.10"

_MAX_ELEMENTS = 10_000
_MAX_DEPTH = 16
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}

_DECIMAL = re.compile(r" *[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)? *")
"""PS3.5, section 6.2, decimal string."""


@dataclass(frozen=True)
class Element:
    """Where a top-level element's value lies.

    Attributes:
        vr: its value representation; empty where the transfer syntax does not say.
        start, length: of the value in the file; length is None where it is undefined.
    """

    vr: str
    start: int
    length: int | None


@dataclass(frozen=True)
class DicomFile:
    """A walked file: typed access to its top-level elements, each checked where it is read."""

    data: bytes
    transfer_syntax: str
    elements: dict[int, Element]

    @property
    def order(self) -> str:
        """`<` or `>`."""
        return ">" if self.transfer_syntax == EXPLICIT_BIG else "<"

    def text(self, tag: int) -> str:
        """A string value without padding; empty where absent.

        Raises:
            DicomInconsistent: it is no short string.
        """
        element = self.elements.get(tag)
        if element is None:
            return ""
        if element.length is None or element.length > 1024:
            raise DicomInconsistent(f"The value of DICOM element {tag:08X} is too long.")
        raw = self.data[element.start : element.start + element.length]
        return raw.decode("latin-1").strip(" \x00")

    def unsigned(self, tag: int, default: int | None = None) -> int:
        """A 16-bit value, unsigned.

        Raises:
            DicomInconsistent: it is missing without a default, or of another type.
        """
        element = self.elements.get(tag)
        if element is None and default is not None:
            return default
        if element is None or element.length != 2 or element.vr not in {"", "US", "SS"}:
            raise DicomInconsistent(f"DICOM element {tag:08X} is missing or no 16-bit number.")
        (value,) = struct.unpack_from(self.order + "H", self.data, element.start)
        return int(value)

    def decimals(self, tag: int) -> tuple[float, ...]:
        """Decimal-string values; empty where absent or blank.

        Raises:
            ValueError: one is no number.
        """
        text = self.text(tag)
        parts = text.split("\\") if text else []
        if not all(map(_DECIMAL.fullmatch, parts)):  # `float` also takes "1_0", "NaN" and digits of other scripts
            raise ValueError("a decimal string is no number")
        return tuple(map(float, parts))


def walk(data: bytes) -> DicomFile:
    """Walks a Part 10 file: file meta first, and nothing more where its transfer syntax is not on the allow-list.

    Raises:
        DicomCorrupt: the preamble is not blank, or the structure is broken, too deep or too long.
        DicomTransferSyntax: the transfer syntax is not read.
        ImageTruncated: the pixel data is cut off.
        TrailingData: something that is no element follows the pixel data.
        UnsupportedMediaType: the file is a DICOMDIR; what it names is never looked at.
    """
    _check_preamble(data)
    syntax, start, storage = _read_file_meta(data)
    if storage == _DIRECTORY_STORAGE:
        raise UnsupportedMediaType("The file is a DICOMDIR, the index of a folder; send the slices that it names.")
    if syntax not in _ALLOWED:
        shown = "".join(c for c in syntax[:64] if c in "0123456789.")
        raise DicomTransferSyntax(
            f"Transfer syntax {shown or 'unknown'} is not read; convert to Explicit VR Little Endian."
        )
    return DicomFile(data, syntax, _Walker(data, syntax).walk(start))


def is_compressed(data: bytes) -> bool:
    """Whether a Part 10 file's pixels go through a codec that this version reads; False also where nothing can be read.

    Knows the file-meta group only.
    """
    try:
        syntax, _, _ = _read_file_meta(data)
    except DicomCorrupt:
        return False
    return syntax in _ALLOWED - NATIVE


def _check_preamble(data: bytes) -> None:
    """PS3.10, 7.1 leaves the preamble free, which is how a DICOM file can be a program too: blank or TIFF only."""
    is_dual_tiff = data[:4] in {b"II*\x00", b"MM\x00*"} and not any(data[8:128])
    if any(data[:128]) and not is_dual_tiff:
        raise DicomCorrupt("The DICOM preamble is not blank; rewrite the file with 128 zero bytes in front.")


def _read_file_meta(data: bytes) -> tuple[str, int, str]:
    """The transfer syntax, where the data set begins, and what kind of object the file says it holds."""
    at, named = 132, {_SYNTAX: "", _STORAGE: ""}
    for _ in range(64):
        if at + 8 > len(data):
            break
        group, number, vr, length = struct.unpack_from("<HH2sH", data, at)
        if group != 2:
            break
        at += 8
        if vr in _LONG:
            if at + 4 > len(data):
                break
            (length,) = struct.unpack_from("<I", data, at)
            at += 4
        if not (vr.isalpha() and vr.isupper()) or at + length > len(data):
            raise DicomCorrupt("The DICOM file-meta group is broken.")
        if number in named:
            named[number] = data[at : at + length].decode("latin-1").strip(" \x00")
        at += length
    if not named[_SYNTAX]:
        raise DicomCorrupt("The DICOM file-meta group names no transfer syntax.")
    return named[_SYNTAX], at, named[_STORAGE]


class _Walker:
    """One pass over the data set; undefined lengths are followed with a stack, defined ones are stepped over."""

    def __init__(self, data: bytes, syntax: str) -> None:
        self.data = data
        self.is_implicit = syntax == IMPLICIT_LITTLE
        self.order = ">" if syntax == EXPLICIT_BIG else "<"
        self.is_native = syntax in NATIVE
        self.count = 0
        self.elements: dict[int, Element] = {}

    def walk(self, at: int) -> dict[int, Element]:
        last = 0
        while at < len(self.data):
            has_pixels = PIXEL_DATA in self.elements
            try:
                tag, vr, length, start = self.next_head(at, last)
                at = self.step(tag, vr, length, start)
            except DicomCorrupt as error:
                if has_pixels:
                    raise TrailingData(f"{len(self.data) - at} bytes follow the DICOM pixel data.") from error
                raise
            self.elements[tag] = Element(vr, start, None if length == _UNDEFINED else length)
            last = tag
        return self.elements

    def next_head(self, at: int, last: int) -> tuple[int, str, int, int]:
        """Reads the next top-level head, which comes after the last one in order (PS3.5, 7.1)."""
        tag, vr, length, start = self.head(at, self.is_implicit)
        if tag <= last:
            raise DicomCorrupt("The DICOM elements are not in order.")
        return tag, vr, length, start

    def step(self, tag: int, vr: str, length: int, start: int) -> int:
        """Returns where the element ends."""
        if length != _UNDEFINED:
            if start + length > len(self.data):
                if tag == PIXEL_DATA:
                    raise ImageTruncated("The DICOM file ends inside its pixel data.")
                raise DicomCorrupt("A DICOM element is longer than the file.")
            return start + length
        if tag == PIXEL_DATA and not self.is_native:
            return self.skip_fragments(start)
        if vr not in {"", "SQ", "UN"}:
            raise DicomCorrupt("A DICOM element has no length.")
        return self.skip_sequence(start, self.is_implicit or vr == "UN")

    def head(self, at: int, is_implicit: bool) -> tuple[int, str, int, int]:
        """Reads tag, VR, length and where the value starts."""
        self.count += 1
        if self.count > _MAX_ELEMENTS:
            raise DicomCorrupt("The DICOM file has too many elements.", limit=_MAX_ELEMENTS)
        if at + 8 > len(self.data):
            raise DicomCorrupt("The DICOM file ends inside an element.")
        group, number = struct.unpack_from(self.order + "HH", self.data, at)
        tag = group << 16 | number
        if is_implicit or group == 0xFFFE:
            return tag, "", *struct.unpack_from(self.order + "I", self.data, at + 4), at + 8
        vr = self.data[at + 4 : at + 6]
        if not (vr.isalpha() and vr.isupper()):
            raise DicomCorrupt("A DICOM element has no value representation.")
        if vr not in _LONG:
            return tag, vr.decode(), *struct.unpack_from(self.order + "H", self.data, at + 6), at + 8
        if at + 12 > len(self.data):
            raise DicomCorrupt("The DICOM file ends inside an element.")
        return tag, vr.decode(), *struct.unpack_from(self.order + "I", self.data, at + 8), at + 12

    def skip_sequence(self, at: int, is_implicit: bool) -> int:
        """Steps over a sequence of undefined length (PS3.5, 7.5)."""
        open_levels = [("sequence", is_implicit)]
        while open_levels:
            if len(open_levels) > 2 * _MAX_DEPTH:
                raise DicomCorrupt("The DICOM sequences are nested too deeply.", limit=_MAX_DEPTH)
            kind, implicit = open_levels[-1]
            tag, vr, length, start = self.head(at, implicit)
            at = start
            if tag == (_SEQUENCE_END if kind == "sequence" else _ITEM_END):
                open_levels.pop()
            elif (tag == _ITEM) != (kind == "sequence"):
                raise DicomCorrupt("A DICOM sequence is broken.")
            elif length != _UNDEFINED:
                at += length
            elif kind == "sequence":
                open_levels.append(("item", implicit))
            elif vr in {"", "SQ", "UN"}:
                open_levels.append(("sequence", implicit or vr == "UN"))
            else:
                raise DicomCorrupt("A DICOM element has no length.")
        return at

    def skip_fragments(self, at: int) -> int:
        """Steps over encapsulated pixel data (PS3.5, A.4)."""
        while True:
            if at + 8 > len(self.data):
                raise ImageTruncated("The DICOM file ends inside its pixel data.")
            tag, _, length, start = self.head(at, is_implicit=True)
            if tag == _SEQUENCE_END:
                return start
            if tag != _ITEM or length == _UNDEFINED:
                raise DicomCorrupt("The DICOM pixel data fragments are broken.")
            if start + length > len(self.data):
                raise ImageTruncated("The DICOM file ends inside its pixel data.")
            at = start + length


def fragments(file: DicomFile) -> tuple[bytes, ...]:
    """The encapsulated fragments, without the offset table."""
    found: list[bytes] = []
    at = file.elements[PIXEL_DATA].start
    while True:
        group, number, length = struct.unpack_from("<HHI", file.data, at)
        if group << 16 | number != _ITEM:
            return tuple(found[1:])
        found.append(file.data[at + 8 : at + 8 + length])
        at += 8 + length
