"""A zip is unpacked whole and safely, or refused with the reason (cases H30 to H43 of the hostile inputs)."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.dataset.archive import ArchiveLimits, extract_archive, read_members
from hilum.errors import (
    ArchiveCorrupt,
    ArchiveEncrypted,
    ArchiveNested,
    ArchiveNoUsableImages,
    ArchiveOverlap,
    ArchiveSpecialFile,
    ArchiveTooLarge,
    ArchiveTooManyFiles,
    ArchiveUnsafePath,
    ArchiveUnsupportedMethod,
    DatasetInvalid,
    HilumError,
    UnsupportedMediaType,
)
from zip_files import pack, patch


def unpack(data: bytes, limits: ArchiveLimits | None = None) -> dict[str, bytes]:
    return {member.name: member.data for member in read_members(io.BytesIO(data), limits)}


ONE = pack(("normal/a.png", b"x" * 1000))


@pytest.mark.parametrize(
    "name",
    ["../../etc/x", "..\\..\\x", "/abs", "C:\\win\\x", "c:x", "\\\\server\\share\\x", "//a/b", "a/../b", "a/.. /b"],
)
def test_path_that_leaves_the_folder_refuses_the_whole(name: str, tmp_path: Path) -> None:
    path = tmp_path / "slip.zip"
    path.write_bytes(pack(("normal/a.png", b"x"), (name, b"y")))
    with pytest.raises(ArchiveUnsafePath):
        extract_archive(path)
    assert list(tmp_path.iterdir()) == [path]


def test_bomb_is_stopped_by_what_is_counted() -> None:
    zeros = pack(("a.png", bytes(30_000_000)))
    with pytest.raises(ArchiveTooLarge):
        unpack(zeros)
    many = pack(*((f"{i}.png", bytes(2_000_000)) for i in range(20)))
    with pytest.raises(ArchiveTooLarge):
        unpack(many)
    with pytest.raises(ArchiveTooLarge) as caught:
        unpack(pack(("a.png", b"abc" * 1000)), ArchiveLimits(member_bytes=1000))
    assert (caught.value.status, caught.value.limit) == (413, 1000)
    with pytest.raises(ArchiveTooLarge):
        unpack(pack(("a.png", b"a" * 600), ("b.png", b"b" * 600)), ArchiveLimits(total_bytes=1000))


def test_small_blank_picture_may_be_packed_well() -> None:
    assert unpack(pack(("a.bmp", bytes(3_000_000))))["a.bmp"] == bytes(3_000_000)


def test_overlapping_members_are_refused() -> None:
    data = pack(("a.png", b"a" * 100), ("b.png", b"a" * 100), method=zipfile.ZIP_STORED)
    inner = pack(("b.png", b"a" * 100), method=zipfile.ZIP_STORED)
    quoted = pack(("a.png", inner[: inner.find(b"PK\1\2")]), ("b.png", b"a" * 100), method=zipfile.ZIP_STORED)
    offset = quoted.find(b"PK\3\4", 4)
    with pytest.raises(ArchiveOverlap):
        unpack(patch(quoted, b"PK\1\2", 42, struct.pack("<L", offset), last=True))
    with pytest.raises(ArchiveOverlap):
        unpack(patch(data, b"PK\1\2", 20, struct.pack("<L", 50_000)))
    with pytest.raises(ArchiveOverlap):
        unpack(patch(data, b"PK\1\2", 42, struct.pack("<L", 0), last=True))


@pytest.mark.parametrize(
    "data",
    [
        patch(ONE, b"PK\1\2", 24, struct.pack("<L", 5)),
        patch(ONE, b"PK\1\2", 24, struct.pack("<L", 5_000)),
        patch(ONE, b"PK\1\2", 16, b"\1\2\3\4"),
        patch(ONE, b"PK\1\2", 42, struct.pack("<L", 3)),
        patch(ONE, b"PK\5\6", 10, struct.pack("<H", 2)),
        patch(ONE, b"PK\5\6", 16, struct.pack("<L", 7)),
        patch(ONE, b"PK\5\6", 4, struct.pack("<H", 1)),
        ONE[:-10],
        ONE[: len(ONE) // 2],
        ONE + b"trailing",
        b"MZ prepended" + ONE,
        b"PK\3\4" + ONE,
        ONE + ONE,
        pack(("a.png", b"x"), comment=b"PK\5\6" + bytes(16) + struct.pack("<H", 0)),
        patch(ONE, b"PK\5\6", 10, b"\xff\xff"),
        ONE[:30],
        b"PK",
    ],
)
def test_damaged_or_ambiguous_archive_is_refused(data: bytes) -> None:
    with pytest.raises((ArchiveCorrupt, ArchiveTooManyFiles)):
        unpack(data)


def test_zip64_is_read_and_its_lies_are_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("a.png", "w", force_zip64=True) as member:
        member.write(b"x" * 100)
    assert unpack(buffer.getvalue()) == {"a.png": b"x" * 100}

    end = ONE.find(b"PK\5\6")
    count, size, offset = struct.unpack_from("<H2L", ONE, end + 10)
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    unset = struct.pack("<2H2L", 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    whole = ONE[:end] + record + locator + patch(ONE[end:], b"PK\5\6", 8, unset)
    assert unpack(whole) == {"normal/a.png": b"x" * 1000}
    for lie in (
        patch(whole, b"PK\5\6", 10, struct.pack("<H", 3)),
        patch(whole, b"PK\6\7", 8, struct.pack("<Q", 2**62)),
        patch(whole, b"PK\6\6", 4, struct.pack("<Q", 2**63)),
        patch(whole, b"PK\6\6", 16, struct.pack("<L", 1)),
    ):
        with pytest.raises(ArchiveCorrupt):
            unpack(lie)


def test_archive_in_an_archive_is_refused_and_office_files_are_not() -> None:
    with pytest.raises(ArchiveNested):
        unpack(pack(("a.png", b"x"), ("inner.zip", ONE)))
    with pytest.raises(ArchiveNested):
        unpack(pack(("disguised.png", ONE), method=zipfile.ZIP_STORED))
    assert set(unpack(pack(("labels.xlsx", ONE)))) == {"labels.xlsx"}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_devices_and_pipes_are_refused(kind: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("normal/a.png")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ArchiveSpecialFile):
        unpack(buffer.getvalue())


def test_too_many_members_are_refused_by_the_count_alone() -> None:
    with pytest.raises(ArchiveTooManyFiles, match="3 members; the limit is 2"):
        unpack(pack(*((f"{i}.png", b"") for i in range(3))), ArchiveLimits(members=2))


def test_encrypted_and_unsupported_methods_are_refused() -> None:
    with pytest.raises(ArchiveEncrypted):
        unpack(patch(ONE, b"PK\1\2", 8, struct.pack("<H", 1)))
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        with pytest.raises(ArchiveUnsupportedMethod):
            unpack(pack(("a.png", b"x"), method=method))
    for method in (9, 99):
        with pytest.raises(ArchiveUnsupportedMethod):
            unpack(patch(ONE, b"PK\1\2", 10, struct.pack("<H", method)))


@pytest.mark.parametrize("data", [b"\x1f\x8b\x08" + bytes(50), b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"", b"hello"])
def test_other_archives_are_no_zip(data: bytes) -> None:
    with pytest.raises(UnsupportedMediaType):
        unpack(data)


def test_twins_are_all_kept_and_odd_names_made_safe() -> None:
    twins = ["n/A.png", "n/a.png", "n/\u00e9.png", "n/e\u0301.png", "n/CON.png", "n/x\u202egnp.exe", "n/ads.png:b", "n"]
    odd = [*twins, "w\\v.png", "d/" + "long" * 1000 + ".png", "/".join(["deep"] * 50) + "/z.png", "n/trail. "]
    data = pack(*((name, str(i).encode()) for i, name in enumerate(odd)))
    found = unpack(data)
    assert sorted(found.values(), key=int) == [str(i).encode() for i in range(len(odd))]
    assert len({name.casefold() for name in found}) == len(odd)
    assert {"n/A.png", "n/a~2.png", "n/_CON.png", "n/ads.png_b", "w/v.png", "n/trail"} <= set(found)
    assert all(len(part.encode()) <= 255 for name in found for part in name.split("/"))
    assert max(len(name) for name in found) < 1200


def test_everything_named_oddly_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "odd.zip"
    path.write_bytes(pack(("a", b"1"), ("a/b.png", b"2"), ("a/b.png/c.png", b"3"), ("A", b"4")))
    root = extract_archive(path)
    files = [file for file in root.rglob("*") if file.is_file() and file.name != ".hilum-archive"]
    assert sorted(file.read_bytes() for file in files) == [b"1", b"2", b"3", b"4"]


def test_only_junk_is_no_data_set(tmp_path: Path) -> None:
    path = tmp_path / "junk.zip"
    for data in (
        pack(("__MACOSX/._a.png", b"x"), (".DS_Store", b"x"), ("a/Thumbs.db", b"x")),
        pack(),
        pack(("d/", b"")),
    ):
        path.write_bytes(data)
        with pytest.raises(ArchiveNoUsableImages):
            extract_archive(path)
        assert list(tmp_path.iterdir()) == [path]


def test_extracting_again_finds_what_is_there_and_never_mixes(tmp_path: Path) -> None:
    path = tmp_path / "slices.zip"
    path.write_bytes(ONE)
    root = extract_archive(path)
    (root / "normal/a.png").write_bytes(b"touched")
    assert extract_archive(path) == root
    assert (root / "normal/a.png").read_bytes() == b"touched"
    path.write_bytes(pack(("normal/b.png", b"y")))
    changed = extract_archive(path)
    assert changed != root
    (changed / ".hilum-archive").unlink()
    with pytest.raises(DatasetInvalid, match="something else"):
        extract_archive(path)
    assert (extract_archive(path, tmp_path / "within") / "normal/b.png").read_bytes() == b"y"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_bytes_do_more_than_be_refused(data: st.DataObject) -> None:
    raw = bytearray(pack(("n/a.png", b"abc" * 50), ("n/b.png", bytes(200)), ("d/", b"")))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for candidate in (bytes(raw), bytes(raw[:cut])):
        try:
            found = unpack(candidate)
        except HilumError:
            continue
        assert all(".." not in name.split("/") and not name.startswith("/") for name in found)
