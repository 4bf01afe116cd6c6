"""The one directory of a TIFF: its tags, checked against the file. Knows TIFF 6.0 and BigTIFF structure, no pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from hilum.errors import ImageCorrupt, ImageMultiFrame, ImageTruncated, TrailingData
from hilum.imaging.limits import Limits

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIP_OFFSETS, ORIENTATION = 256, 257, 258, 259, 262, 273, 274
SAMPLES, ROWS_PER_STRIP, STRIP_BYTES, PLANAR, PREDICTOR, COLOR_MAP = 277, 278, 279, 284, 317, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, EXTRA_SAMPLES, SAMPLE_FORMAT = 322, 323, 324, 325, 338, 339
ICC_PROFILE = 34675

_SUB_DIRECTORIES = 330
_FOLLOWED = {34665, 34853, 40965}
_WANTED = {
    WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES,
    PLANAR, PREDICTOR, COLOR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, EXTRA_SAMPLES, SAMPLE_FORMAT,
}  # fmt: skip
_KINDS = {1: "B", 2: "c", 3: "H", 4: "I", 5: "II", 6: "b", 7: "c", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I"}
_BIG_KINDS = {16: "Q", 17: "q", 18: "Q"}
_UNSIGNED = {1, 3, 4, 13, 16, 18}
_MAX_ENTRIES = 200
_MAX_VALUES = 100_000


@dataclass(frozen=True)
class Directory:
    """The tags of the only image in a TIFF.

    Attributes:
        order: `<` or `>`.
        values: unsigned integer values of the tags that matter for pixels.
        blocks: offset and length of each strip or tile, inside the file.
        is_tiled: the blocks are tiles.
        profile: the ICC profile, if any.
    """

    order: str
    values: dict[int, tuple[int, ...]]
    blocks: tuple[tuple[int, int], ...]
    is_tiled: bool
    profile: bytes | None

    def one(self, tag: int, default: int | None = None) -> int:
        """The tag's only value, or the first of equal ones.

        Raises:
            ImageCorrupt: it is missing without a default, or has differing values.
        """
        found = self.values.get(tag)
        if not found:
            if default is None:
                raise ImageCorrupt(f"The TIFF has no tag {tag}.")
            return default
        if len(set(found)) > 1:
            raise ImageCorrupt(f"The values of TIFF tag {tag} differ between channels.")
        return found[0]


class _Reader:
    """Reads directories and remembers how far into the file anything points."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order = "<" if data[:2] == b"II" else ">"
        self.is_big = struct.unpack_from(self.order + "H", data, 2)[0] == 43
        self.kinds = {**_KINDS, **(_BIG_KINDS if self.is_big else {})}
        self.end = 0

    def unpack(self, kind: str, at: int) -> tuple[int, ...]:
        size = struct.calcsize(self.order + kind)
        if at + size > len(self.data):
            raise ImageTruncated("The TIFF ends before its directory does.")
        self.end = max(self.end, at + size)
        return struct.unpack_from(self.order + kind, self.data, at)

    def first(self) -> int:
        if not self.is_big:
            return self.unpack("I", 4)[0]
        offset_size, zero, start = self.unpack("HHQ", 4)
        if offset_size != 8 or zero:
            raise ImageCorrupt("The BigTIFF header is impossible.")
        return start

    def directory(self, at: int) -> tuple[dict[int, tuple[int, int, int]], int]:
        """Reads the entries at an offset as tag: (kind, count, offset of the values), and the next directory's."""
        head, entry, word = ("Q", 20, 8) if self.is_big else ("H", 12, 4)
        (count,) = self.unpack(head, at)
        if not 0 < count <= _MAX_ENTRIES:
            raise ImageCorrupt("The TIFF directory has an impossible number of entries.")
        at += struct.calcsize(self.order + head)
        entries = {}
        for start in range(at, at + entry * count, entry):
            tag, kind, length = self.unpack("HHQ" if self.is_big else "HHI", start)
            if kind not in self.kinds:
                continue
            size = struct.calcsize("=" + self.kinds[kind]) * length
            field = start + entry - word
            where = field if size <= word else self.unpack("Q" if self.is_big else "I", field)[0]
            if where + size > len(self.data):
                raise ImageTruncated("A TIFF tag points past the end of the file.")
            self.end = max(self.end, where + size)
            entries[tag] = (kind, length, where)
        (following,) = self.unpack("Q" if self.is_big else "I", at + entry * count)
        return entries, following

    def values(self, kind: int, count: int, where: int) -> tuple[int, ...]:
        if kind not in _UNSIGNED or count > _MAX_VALUES:
            raise ImageCorrupt("A TIFF tag has an impossible type or length.")
        return struct.unpack_from(f"{self.order}{count}{self.kinds[kind]}", self.data, where)


def read_directory(data: bytes, limits: Limits) -> Directory:
    """Reads a TIFF's directory and refuses a file that holds more than it.

    Raises:
        ImageCorrupt: the structure loops or contradicts itself.
        ImageTruncated: something points past the end.
        ImageMultiFrame: there is a second directory.
        TrailingData: nothing points at the file's last bytes.
    """
    if len(data) < 8:
        raise ImageCorrupt("The TIFF ends inside its header.")
    reader = _Reader(data)
    start = reader.first()
    # A file that was cut points past its end, but never past the longest file there may be.
    if start < 8 or start >= limits.file_bytes:
        raise ImageCorrupt("The TIFF's directory is at an impossible place.")
    if start >= len(data):
        raise ImageTruncated("The TIFF ends before its directory.")
    entries, following = reader.directory(start)
    _check_only_directory(reader, start, following, entries)
    values = {tag: reader.values(*entry) for tag, entry in entries.items() if tag in _WANTED}
    blocks, is_tiled = _blocks(values)
    for offset, length in blocks:
        if offset + length > limits.file_bytes:
            raise ImageCorrupt("A TIFF strip or tile is at an impossible place.")
        if offset + length > len(data):
            raise ImageTruncated("The TIFF ends before its pixels do.")
        reader.end = max(reader.end, offset + length)
    for tag in _FOLLOWED & entries.keys():
        _follow(reader, entries[tag])
    if len(data) - reader.end > 3:
        raise TrailingData(f"{len(data) - reader.end} bytes follow the end of the TIFF.", actual=len(data) - reader.end)
    profile = entries.get(ICC_PROFILE)
    icc = data[profile[2] : profile[2] + profile[1]] if profile else None
    return Directory(reader.order, values, blocks, is_tiled, icc)


def _check_only_directory(
    reader: _Reader, start: int, following: int, entries: dict[int, tuple[int, int, int]]
) -> None:
    if following:
        if following < 8 or following >= len(reader.data) or following == start:
            raise ImageCorrupt("The TIFF's next directory loops or lies outside the file.")
        raise ImageMultiFrame("The TIFF has several pages; send a single slice.")
    if _SUB_DIRECTORIES in entries:
        raise ImageMultiFrame("The TIFF holds further images in sub-directories; send a single slice.")


def _follow(reader: _Reader, entry: tuple[int, int, int]) -> None:
    """Takes an EXIF directory's extent into account; a malformed one is ignored, for nothing in it is used."""
    try:
        offsets = reader.values(*entry)
        if len(offsets) == 1:
            reader.directory(offsets[0])
    except (ImageCorrupt, ImageTruncated):
        return


def _blocks(values: dict[int, tuple[int, ...]]) -> tuple[tuple[tuple[int, int], ...], bool]:
    is_tiled = TILE_OFFSETS in values or TILE_WIDTH in values
    offsets = values.get(TILE_OFFSETS if is_tiled else STRIP_OFFSETS, ())
    lengths = values.get(TILE_BYTES if is_tiled else STRIP_BYTES, ())
    if not offsets or len(offsets) != len(lengths) or not all(lengths):
        raise ImageCorrupt("The TIFF's strips or tiles are missing or empty.")
    return tuple(zip(offsets, lengths, strict=True)), is_tiled
