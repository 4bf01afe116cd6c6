"""Rows H30 to H44 and H62 of the catalogue: zips of labelled images, and what `POST /upload-data` answers to each."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import dicom_files as dcm
from labelled_samples import drawn_png
from zip_files import pack, patch


@dataclass(frozen=True)
class ArchiveCase:
    """One zip.

    Attributes:
        id: its row in the catalogue.
        name: which of the row's zips.
        make: returns the bytes.
        status, code: of the refusal; 201 and None where it is taken.
        statuses: what becomes of its files, in their order, where it is taken.
    """

    id: str
    name: str
    make: Callable[[], bytes]
    status: int
    code: str | None = None
    statuses: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.id}-{self.name}"


def one() -> bytes:
    """A sound zip of one image."""
    return pack(("normal/a.png", drawn_png(1)))


def _refused(row: str, name: str, make: Callable[[], bytes], code: str, status: int = 422) -> ArchiveCase:
    return ArchiveCase(row, name, make, status, code)


def _taken(row: str, name: str, make: Callable[[], bytes], *statuses: str) -> ArchiveCase:
    return ArchiveCase(row, name, make, 201, None, statuses)


def _beside(name: str) -> Callable[[], bytes]:
    return lambda: pack(("normal/a.png", drawn_png(1)), (name, drawn_png(2)))


def _special(kind: int) -> Callable[[], bytes]:
    def make() -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("normal/a.png", drawn_png(1))
            info = zipfile.ZipInfo("normal/b.png")
            info.external_attr = (kind | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
        return buffer.getvalue()

    return make


def _overlapping() -> bytes:
    data = pack(("normal/a.png", drawn_png(1)), ("normal/b.png", drawn_png(1)), method=zipfile.ZIP_STORED)
    return patch(data, b"PK\1\2", 42, struct.pack("<L", 0), last=True)


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("normal/a.png")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"abcd"))
    return buffer.getvalue()


def _named(*names: str) -> Callable[[], bytes]:
    return lambda: pack(*((f"normal/{name}", drawn_png(10 + seed)) for seed, name in enumerate(names)))


def _two_ends() -> bytes:
    return one() + one()


def _ratio_of_the_whole() -> bytes:
    """Each member stays below what one may unpack to before its ratio counts; together they do not."""
    return pack(*((f"normal/{n}.png", bytes(9_000_000)) for n in range(60)))


def _ten_gigabytes() -> bytes:
    """Zeros, of which none but a part is ever unpacked: the same compressed block again and again."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(100_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)
    data = block * 100 + zlib.compressobj(9, wbits=-15).flush()
    name, size = b"normal/a.png", 10_000_000_000
    extra = struct.pack("<2HQ", 1, 8, size)
    rest = (45, 0, 8, 0, 33, 0, len(data), 0xFFFFFFFF, len(name), len(extra))
    local = struct.pack("<4s5H3L2H", b"PK\3\4", *rest) + name + extra
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 45, *rest, 0, 0, 0, 0, 0) + name + extra
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(local) + len(data), 0)
    return local + data + entry + end


def _much_more_than_said() -> bytes:
    data = pack(("normal/a.png", bytes(50_000_000)))
    said = struct.pack("<L", 100)
    return patch(patch(data, b"PK\3\4", 22, said), b"PK\1\2", 24, said)


def _matryoshka(depth: int) -> bytes:
    return pack(("0.dll", bytes(1_000_000))) if depth == 0 else pack((f"{depth}.zip", _matryoshka(depth - 1)))


def _crowd() -> bytes:
    """Says in its end records that it has 100,000 members; nothing of its directory is parsed."""
    data = one()
    end = data.rfind(b"PK\5\6")
    length, offset = struct.unpack_from("<LL", data, end + 12)
    record = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 100_000, 100_000, length, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    return data[:end] + record + locator + patch(data[end:], b"PK\5\6", 8, b"\xff" * 12)


def _zip64_lie() -> bytes:
    """The two end records name two numbers of members."""
    data = _crowd()
    return patch(data, b"PK\5\6", 8, struct.pack("<HH", 1, 1))


def _renamed(name: bytes, *, is_utf8: bool = False) -> bytes:
    """A zip of one image under a name of raw bytes."""
    placeholder = "x" * len(name)
    data = pack((f"normal/{placeholder}", drawn_png(3))).replace(placeholder.encode(), name)
    if is_utf8:
        flag = struct.pack("<H", 0x800)
        data = patch(patch(data, b"PK\3\4", 6, flag), b"PK\1\2", 8, flag)
    return data


def _two_slices(*, uids: str, shifts: tuple[int, int]) -> Callable[[], bytes]:
    """Two DICOM slices: who they say they are, and by how many rows each is moved."""

    def make() -> bytes:
        slices = [
            dcm.dicom(
                {0x00080018: ("UI", f"1.2.826.{uid}")}, pixels=dcm.words(np.roll(dcm.SLICE_HU + 1000, shift, axis=0))
            )
            for uid, shift in zip(uids, shifts, strict=True)
        ]
        return pack(*((f"normal/{number}.dcm", data) for number, data in enumerate(slices)))

    return make


_PATHS = ("../../etc/x", "..\\..\\x", "/abs.png", "C:\\win\\x.png", "\\\\server\\share\\x.png")

ARCHIVE_CASES: tuple[ArchiveCase, ...] = (
    *(_refused("H30", f"path-{n}", _beside(path), "archive-unsafe-path") for n, path in enumerate(_PATHS)),
    _refused("H31", "zeros", lambda: pack(("normal/a.png", bytes(30_000_000))), "archive-too-large", 413),
    _refused("H32", "overlap", _overlapping, "archive-overlap"),
    _refused("H33", "size-lies", lambda: patch(one(), b"PK\1\2", 24, struct.pack("<L", 5)), "archive-corrupt"),
    _refused("H31", "10-gb-of-zeros", _ten_gigabytes, "archive-too-large", 413),
    _refused("H31", "whole", _ratio_of_the_whole, "archive-too-large", 413),
    _refused("H33", "50-mb-said-to-be-100-bytes", _much_more_than_said, "archive-corrupt"),
    _refused("H33", "crc-lies", lambda: patch(one(), b"PK\1\2", 16, b"\1\2\3\4"), "archive-corrupt"),
    _refused("H34", "nested", lambda: pack(("normal/a.png", drawn_png(1)), ("JANE.zip", one())), "archive-nested"),
    _refused("H34", "42", lambda: pack(*((f"lib {n}.zip", _matryoshka(5)) for n in range(16))), "archive-nested"),
    _refused("H34", "disguised", lambda: pack(("normal/a.png", one()), method=zipfile.ZIP_STORED), "archive-nested"),
    *(
        _refused("H35", f"special-{kind:o}", _special(kind), "archive-special-file")
        for kind in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK)
    ),
    _refused(
        "H36", "16000-members", lambda: pack(*((f"{n}.png", b"") for n in range(16_000))), "archive-too-many-files", 413
    ),
    _refused(
        "H36", "5001-files", lambda: pack(*((f"n/{n}.png", b"x") for n in range(5001))), "archive-too-many-files", 413
    ),
    _refused("H36", "100000-members", _crowd, "archive-too-many-files", 413),
    _taken("H37", "case-twins", _named("A.png", "a.png"), "accepted", "accepted"),
    _taken("H37", "nfc-nfd", _named("\u00e9.png", "e\u0301.png"), "accepted", "accepted"),
    _taken(
        "H37",
        "one-image-twice",
        lambda: pack(("normal/A.png", drawn_png(1)), ("normal/a.png", drawn_png(1))),
        "accepted",
        "duplicate",
    ),
    _taken("H38", "rtl-override", _named("x\u202egnp.exe", "\x07bell.png"), "accepted", "accepted"),
    _taken("H38", "null-byte", lambda: _renamed(b"nul\0.png"), "accepted"),
    _taken("H38", "code-page-437", lambda: _renamed(b"\x81\xe9\xff.png"), "accepted"),
    _refused("H38", "lone-surrogate", lambda: _renamed(b"\xed\xa0\x80.png", is_utf8=True), "archive-corrupt"),
    _taken("H38", "4000-characters", _named("long" * 1000 + ".png"), "accepted"),
    _taken("H39", "reserved", _named("CON.png", "NUL", "trail. ", "ads.png:b"), *["accepted"] * 4),
    _refused("H40", "encrypted", lambda: patch(one(), b"PK\1\2", 8, struct.pack("<H", 1)), "archive-encrypted"),
    _refused(
        "H40", "lzma", lambda: pack(("normal/a.png", b"x"), method=zipfile.ZIP_LZMA), "archive-unsupported-method"
    ),
    _refused(
        "H40", "deflate64", lambda: patch(one(), b"PK\1\2", 10, struct.pack("<H", 9)), "archive-unsupported-method"
    ),
    _refused("H40", "99", lambda: patch(one(), b"PK\1\2", 10, struct.pack("<H", 99)), "archive-unsupported-method"),
    _refused("H01", "empty", lambda: b"", "empty-file"),
    _refused("H41", "cut-short", lambda: one()[:-10], "archive-corrupt"),
    _refused("H41", "two-ends", _two_ends, "archive-corrupt"),
    _refused("H41", "multi-disk", lambda: patch(one(), b"PK\5\6", 4, struct.pack("<H", 1)), "archive-corrupt"),
    _refused("H41", "prepended", lambda: b"PK\3\4 and other data" + one(), "archive-corrupt"),
    _refused("H41", "prepended-script", lambda: b"#!/bin/sh\n" + one(), "archive-corrupt"),
    _refused("H41", "prepended-exe", lambda: b"MZ" + bytes(200) + one(), "archive-corrupt"),
    _refused("H41", "prepended-html", lambda: b"<script>alert(1)</script>" + one(), "archive-corrupt"),
    _refused("H41", "zip64-lies", _zip64_lie, "archive-corrupt"),
    _taken("H41", "comment-64k", lambda: pack(("normal/a.png", drawn_png(1)), comment=b"c" * 65_535), "accepted"),
    _refused(
        "H41", "end-in-comment", lambda: pack(("normal/a.png", drawn_png(1)), comment=one()[-22:]), "archive-corrupt"
    ),
    _refused("H41", "trailing", lambda: one() + b"trailing", "archive-corrupt"),
    _refused("H42", "junk", lambda: pack(("__MACOSX/._a.png", b"x"), (".DS_Store", b"x")), "archive-no-usable-images"),
    _refused(
        "H42",
        "thumbs",
        lambda: pack(("normal/Thumbs.db", b"x"), ("normal/.DS_Store", b"x")),
        "archive-no-usable-images",
    ),
    _refused("H42", "empty", pack, "archive-no-usable-images"),
    _refused("H42", "folders", lambda: pack(("normal/", b"")), "archive-no-usable-images"),
    _refused("H42", "no-image-usable", lambda: pack(("normal/a.png", b"")), "archive-no-usable-images"),
    _refused("H43", "tar", _tar, "unsupported-media-type", 415),
    _refused("H43", "7z", lambda: b"7z\xbc\xaf\x27\x1c" + bytes(40), "unsupported-media-type", 415),
    _refused("H43", "rar", lambda: b"Rar!\x1a\x07\x01\x00" + bytes(40), "unsupported-media-type", 415),
    _taken("H44", "unknown-class", lambda: pack(("hamartoma/a.png", drawn_png(1))), "quarantined"),
    _taken("H44", "spelling", lambda: pack(("Large Cell-Carcinoma/a.png", drawn_png(1))), "accepted"),
    _taken(
        "H44",
        "two-classes",
        lambda: pack(("normal/a.png", drawn_png(1)), ("adenocarcinoma/a.png", drawn_png(1))),
        "quarantined",
        "quarantined",
    ),
    _taken(
        "H44", "no-class", lambda: pack(("a.png", drawn_png(1)), ("normal/b.png", drawn_png(2))), "refused", "accepted"
    ),
    _taken("H62", "one-slice-two-uids", _two_slices(uids="12", shifts=(0, 0)), "accepted", "duplicate"),
    _taken("H62", "two-slices-one-uid", _two_slices(uids="11", shifts=(0, 40)), "accepted", "accepted"),
)
