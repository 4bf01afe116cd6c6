"""Checks that a zip's directory is whole, unambiguous and within limits. Knows the format only, unpacks nothing.

Section numbers refer to PKWARE's APPNOTE 6.3.10. Two readers that understand one zip differently are a known way past
checks, so whatever can be read in two ways is refused.
"""

from __future__ import annotations

import stat
import struct
import zipfile
from dataclasses import dataclass
from typing import BinaryIO

from hilum.errors import (
    ArchiveCorrupt,
    ArchiveEncrypted,
    ArchiveOverlap,
    ArchiveSpecialFile,
    ArchiveTooLarge,
    ArchiveTooManyFiles,
    ArchiveUnsupportedMethod,
    UnsupportedMediaType,
)
from hilum.imaging.formats import HEAD_BYTES, recognise

_END = struct.Struct("<4s4H2LH")  # 4.3.16, end of central directory record
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_LOCATOR64 = struct.Struct("<4sLQL")  # 4.3.15
_LOCAL = struct.Struct("<4s5H3L2H")  # 4.3.7, local file header
_STARTS = (b"PK\3\4", b"PK\5\6")
_MAX_COMMENT = 0xFFFF
_DIRECTORY_BYTES_PER_MEMBER = 256


@dataclass(frozen=True)
class ArchiveLimits:
    """Caps for a zip.

    Attributes:
        members: files and folders in it, read from its end record before anything is parsed.
        total_bytes: what it unpacks to, counted while unpacking.
        member_bytes: what one member unpacks to, counted.
        ratio: unpacked over packed bytes, of a member and of the whole, from 10 MB on.
    """

    members: int = 50_000
    total_bytes: int = 20_000_000_000
    member_bytes: int = 100_000_000
    ratio: float = 100.0


@dataclass(frozen=True)
class _End:
    position: int
    members: int
    directory_bytes: int
    directory_offset: int


def is_archive(file: BinaryIO) -> bool:
    """Whether a file means to be a zip: it begins as one, or begins as no image and ends as one.

    Zip readers look from the end, so a script with a zip behind it is a zip to them. An image with one is an image.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if head.startswith(_STARTS):
        return True
    try:
        recognise(head)
    except UnsupportedMediaType:
        return bool(_ends_that_fit(_tail_of(file)[1]))
    return False


def open_checked(file: BinaryIO, limits: ArchiveLimits) -> zipfile.ZipFile:
    """Opens a zip whose structure has been checked; the sizes and checksums it declares have not.

    Raises:
        UnsupportedMediaType: the file is no zip.
        InputRejected: an Archive… leaf that says what is wrong.
    """
    end = _read_end(file)
    if end.members > limits.members:
        raise ArchiveTooManyFiles(
            f"The archive has {end.members} members; the limit is {limits.members}. Split it.",
            limit=limits.members,
            actual=end.members,
        )
    most = 2**20 + limits.members * _DIRECTORY_BYTES_PER_MEMBER
    if end.directory_bytes > most:
        raise ArchiveTooLarge(
            f"The archive's directory has {end.directory_bytes} bytes; the limit is {most}.",
            limit=most,
            actual=end.directory_bytes,
        )
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, struct.error, UnicodeError, ValueError, NotImplementedError) as error:
        raise ArchiveCorrupt(f"The archive's directory cannot be read ({error}).") from error
    members = archive.infolist()
    if len(members) != end.members:
        raise ArchiveCorrupt(f"The archive says it has {end.members} members and lists {len(members)}.")
    for member in members:
        _check_member(member)
    _check_extents(file, members, end)
    return archive


def _read_end(file: BinaryIO) -> _End:
    file.seek(0)
    magic = file.read(4)
    tail_start, tail = _tail_of(file)
    ends = _ends_that_fit(tail)
    if not magic.startswith(b"PK"):
        if ends:
            raise ArchiveCorrupt("Other data stand before the archive; make it anew.")
        raise UnsupportedMediaType("The file is no zip archive; data sets are read from folders and from .zip files.")
    if len(ends) != 1 or ends[0] != tail.rfind(b"PK\5\6"):
        raise ArchiveCorrupt(
            "The archive has no end record: it is cut short." if not ends else "The archive has several end records."
        )
    _, disk, start_disk, here, members, length, offset, _ = _END.unpack_from(tail, ends[0])
    end = _End(tail_start + ends[0], members, length, offset)
    is_64, end = _read_end_64(file, end)
    if not is_64 and (disk, start_disk, here) != (0, 0, members):
        raise ArchiveCorrupt("The archive is one part of several; join them first.")
    if end.directory_offset + end.directory_bytes != end.position:
        raise ArchiveCorrupt("The archive's directory does not end where its end record begins.")
    return end


def _tail_of(file: BinaryIO) -> tuple[int, bytes]:
    """Where an end record may begin at the earliest, and the bytes from there on."""
    start = max(0, file.seek(0, 2) - _END.size - _MAX_COMMENT)
    file.seek(start)
    return start, file.read()


def _ends_that_fit(tail: bytes) -> list[int]:
    """Positions of end records whose comment reaches exactly to the end of the file."""
    found, position = [], tail.find(b"PK\5\6")
    while position >= 0:
        if position + _END.size <= len(tail):
            comment_length = _END.unpack_from(tail, position)[7]
            if position + _END.size + comment_length == len(tail):
                found.append(position)
        position = tail.find(b"PK\5\6", position + 1)
    return found


def _read_end_64(file: BinaryIO, end: _End) -> tuple[bool, _End]:
    """The zip64 end record, where there is one; each field the short record also gives must agree."""
    locator_at = end.position - _LOCATOR64.size
    if locator_at < 0:
        return False, end
    file.seek(locator_at)
    signature, disk, at, disks = _LOCATOR64.unpack(file.read(_LOCATOR64.size))
    if signature != b"PK\6\7":
        return False, end
    file.seek(min(at, locator_at))
    record = file.read(_END64.size)
    if len(record) < _END64.size or not record.startswith(b"PK\6\6") or disk or disks > 1:
        raise ArchiveCorrupt("The archive's zip64 end record is not where its locator says.")
    _, length, _, _, disk, start_disk, here, members, directory_bytes, offset = _END64.unpack(record)
    if at + 12 + length != locator_at or (disk, start_disk, here) != (0, 0, members):
        raise ArchiveCorrupt("The archive's zip64 end record is inconsistent.")
    pairs = (
        (end.members, members, 0xFFFF),
        (end.directory_bytes, directory_bytes, 0xFFFFFFFF),
        (end.directory_offset, offset, 0xFFFFFFFF),
    )
    if any(short not in (long, unset) for short, long, unset in pairs):
        raise ArchiveCorrupt("The archive's two end records contradict each other.")
    return True, _End(at, members, directory_bytes, offset)


def _check_member(member: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveSpecialFile("The archive holds a link, device or pipe; pack plain files only.")
    if member.flag_bits & 0x2041:  # 4.4.4: bit 0 encrypted, 6 strong encryption, 13 masked headers
        raise ArchiveEncrypted("The archive is encrypted; pack it without a password.")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveUnsupportedMethod(
            f"The archive uses compression method {member.compress_type}; stored (0) and deflate (8) are read.",
            actual=member.compress_type,
        )


def _check_extents(file: BinaryIO, members: list[zipfile.ZipInfo], end: _End) -> None:
    """Members must lie one after the other from the first byte on (against Fifield, "A better zip bomb", 2019)."""
    previous_end = 0
    for index, member in enumerate(sorted(members, key=lambda m: m.header_offset)):
        if index == 0 and member.header_offset != 0:
            raise ArchiveCorrupt("Other data stand before the archive's first member.")
        if member.header_offset < previous_end:
            raise ArchiveOverlap("Two members of the archive share bytes: it is built to unpack without bound.")
        file.seek(member.header_offset)
        header = file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(b"PK\3\4"):
            raise ArchiveCorrupt("The archive's directory points to where no member begins.")
        name_length, extra_length = _LOCAL.unpack(header)[9:]
        previous_end = member.header_offset + _LOCAL.size + name_length + extra_length + member.compress_size
        if previous_end > end.directory_offset:
            raise ArchiveOverlap("A member of the archive reaches into its directory.")
