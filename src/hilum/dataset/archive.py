"""Unpacks a zip that may be hostile, member by member, within limits. Knows names and bytes, not images."""

from __future__ import annotations

import hashlib
import re
import shutil
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hilum.dataset.layout import is_junk
from hilum.dataset.zip_structure import ArchiveLimits, is_archive, open_checked
from hilum.errors import (
    ArchiveCorrupt,
    ArchiveNested,
    ArchiveNoUsableImages,
    ArchiveTooLarge,
    ArchiveUnsafePath,
    DatasetInvalid,
)

__all__ = ["ArchiveLimits", "ArchiveMember", "extract_archive", "is_archive", "member_names", "read_members"]

_CHUNK = 256 * 1024
_RATIO_FROM = 10_000_000
_MARKER = ".hilum-archive"
_MAX_PART_BYTES = 120
_MAX_PARTS = 9
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_OFFICE = (".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp")
"""Files that are zips inside and yet belong to people's data sets: refused one by one as no image."""


@dataclass(frozen=True)
class ArchiveMember:
    """A file of an archive.

    Attributes:
        name: relative path with forward slashes, safe to write on any system and unique within the archive.
        data: its bytes.
    """

    name: str
    data: bytes


def member_names(file: BinaryIO, limits: ArchiveLimits | None = None) -> list[str]:
    """Names the files that `read_members` gives, in the zip's own order, and unpacks none.

    Raises:
        UnsupportedMediaType, InputRejected: as `read_members`, where the directory tells.
    """
    return [name for _, name in _listed(open_checked(file, limits or ArchiveLimits()))]


def read_members(
    file: BinaryIO, limits: ArchiveLimits | None = None, *, is_wanted: Callable[[str], bool] | None = None
) -> Iterator[ArchiveMember]:
    """Unpacks a zip's files one at a time, in its own order; what operating systems leave behind is passed over.

    Where `is_wanted` is given, only files whose name it accepts are unpacked.

    Sizes are counted and not believed. Where an error is raised, the whole archive is to be refused, also what was
    yielded before.

    Raises:
        UnsupportedMediaType: the file is no zip.
        InputRejected: an Archive… leaf that says what is wrong.
    """
    limits = limits or ArchiveLimits()
    archive = open_checked(file, limits)
    file_size = file.seek(0, 2)
    total = 0
    for info, name in _listed(archive):
        if is_wanted is not None and not is_wanted(name):
            continue
        data = _read(archive, info, limits)
        total += len(data)
        if total > limits.total_bytes or (total > _RATIO_FROM and total > limits.ratio * file_size):
            raise _too_large(min(limits.total_bytes, limits.ratio * file_size), total)
        base = name.rpartition("/")[2]
        if data.startswith((b"PK\3\4", b"PK\5\6")) and not base.casefold().endswith(_OFFICE):
            raise ArchiveNested(f"The archive holds another one ({base!r}); unpack that one first.")
        yield ArchiveMember(name, data)


def extract_archive(archive: Path, within: Path | None = None, *, limits: ArchiveLimits | None = None) -> Path:
    """Unpacks a zip into a folder named after it and its content, whole or not at all.

    Args:
        archive: the zip.
        within: where `<name>-<first 12 digits of its sha256>` is made, unless an earlier call did; by default beside
            the archive.
        limits: caps.

    Returns:
        The folder.

    Raises:
        DatasetInvalid: the folder holds something else.
        InputRejected: as `read_members`.
    """
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        target = (within or archive.parent) / f"{archive.stem}-{digest[:12]}"
        marker = target / _MARKER
        if marker.is_file() and marker.read_text(encoding="ascii") == digest:
            return target
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise DatasetInvalid(f"{target} exists and holds something else; delete it, or rename the zip.")
        partial = target.with_name(target.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(parents=True)
            count = 0
            for count, member in enumerate(read_members(file, limits), start=1):  # noqa: B007
                path = partial / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(member.data)
            if not count:
                raise ArchiveNoUsableImages("The archive holds no files; pack a folder of class folders.")
            (partial / _MARKER).write_text(digest, encoding="ascii")
            if target.exists():
                target.rmdir()
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def _listed(archive: zipfile.ZipFile) -> list[tuple[zipfile.ZipInfo, str]]:
    """Each file with a name that is safe and unique, without what operating systems leave behind."""
    names, listed = _UniqueNames(), []
    for info, parts in [(info, _safe_parts(info)) for info in archive.infolist()]:
        if not info.is_dir() and parts and not any(is_junk(part) for part in parts):
            listed.append((info, names.take(parts)))
    return listed


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: ArchiveLimits) -> bytes:
    chunks, counted = [], 0
    ratio_cap = max(_RATIO_FROM, limits.ratio * info.compress_size)
    try:
        with archive.open(info) as member:
            while chunk := member.read(_CHUNK):
                counted += len(chunk)
                if counted > min(limits.member_bytes, ratio_cap):
                    raise _too_large(min(limits.member_bytes, ratio_cap), counted)
                chunks.append(chunk)
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, UnicodeError, NotImplementedError) as error:
        raise ArchiveCorrupt(f"A member of the archive cannot be unpacked ({error}).") from error
    if counted != info.file_size:
        raise ArchiveCorrupt(f"A member of the archive declares {info.file_size} bytes and holds {counted}.")
    return b"".join(chunks)


def _too_large(limit: float, actual: int) -> ArchiveTooLarge:
    return ArchiveTooLarge(
        f"Unpacking was stopped at {actual} bytes; the limit for this archive is {limit:.0f}.",
        limit=limit,
        actual=actual,
    )


def _safe_parts(info: zipfile.ZipInfo) -> list[str]:
    """A member's path as parts that mean a file below the folder on every system."""
    # `filename` ends at the first null byte; the whole name is what other readers may see.
    name = info.orig_filename.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or any(part.strip(" .\0") == "" for part in parts):
        raise ArchiveUnsafePath("The archive holds an absolute path or one with '..'; pack a folder by relative paths.")
    if len(parts) > _MAX_PARTS:
        parts = [*parts[: _MAX_PARTS - 1], parts[-1]]
    return [_safe_part(part) for part in parts]


def _safe_part(part: str) -> str:
    safe = unicodedata.normalize("NFC", part)
    safe = "".join("_" if unicodedata.category(c).startswith("C") or c in '<>:"|?*' else c for c in safe)
    safe = safe.rstrip(" .")
    if _RESERVED.fullmatch(safe):
        safe = f"_{safe}"
    if len(safe.encode()) > _MAX_PART_BYTES:
        stem, dot, suffix = safe.rpartition(".")
        suffix = f".{suffix}" if dot and len(suffix.encode()) <= 8 else ""
        mark = hashlib.sha256(part.encode(errors="surrogatepass")).hexdigest()[:8]
        short = (stem if suffix else safe).encode()[: _MAX_PART_BYTES - 20].decode(errors="ignore")
        safe = f"{short}~{mark}{suffix}"
    return safe


class _UniqueNames:
    """Hands out paths of which no two are the same file where case does not count, and none is another's folder."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def take(self, parts: list[str]) -> str:
        folder = ""
        for part in parts[:-1]:
            while f"{folder}{part}".casefold() in self._files:
                part += "~"  # noqa: PLW2901
            folder += f"{part}/"
            self._folders.add(folder.rstrip("/").casefold())
        stem, dot, suffix = parts[-1].rpartition(".")
        if not stem:
            stem, dot, suffix = parts[-1], "", ""
        number, name = 1, folder + parts[-1]
        while self._is_taken(name):
            number += 1
            name = f"{folder}{stem}~{number}{dot}{suffix}"
        self._files.add(name.casefold())
        return name

    def _is_taken(self, name: str) -> bool:
        return name.casefold() in self._files or name.casefold() in self._folders
