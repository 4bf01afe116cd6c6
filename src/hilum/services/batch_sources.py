"""The images of a batch, one at a time: of an upload, a zip or a folder. Opens no image, and stores nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from hilum.dataset.archive import ArchiveLimits, is_archive, read_members
from hilum.dataset.layout import is_junk
from hilum.errors import ArchiveNested, ArchiveTooManyFiles, DatasetNotFound
from hilum.services.batch_rules import LOCAL_CAPS, BatchCaps, KeptImage, NewImage
from hilum.services.incoming_upload import UploadedPart

_MEMBERS_PER_FILE = 3
"""A zip also lists folders and what operating systems leave behind."""

_REFERENCE = re.compile(r"(?:sha256:)?([0-9a-f]{64})")

Located = tuple[str, Path | KeptImage]
"""What an image is called, and where it is."""


def uploaded_images(parts: Sequence[UploadedPart], caps: BatchCaps) -> Iterator[NewImage]:
    """The files of an upload, those of a zip in its place and order. Where this raises the batch is to be refused.

    Raises:
        InputRejected: an Archive… leaf.
    """
    return _counted(_unpacked(parts, caps), caps)


def locate(paths: Sequence[Path]) -> Iterator[Located]:
    """Lists the images under paths, one at a time: files, folders with all they hold, and lists.

    A list is a `.txt` file with a path, or the sha256 of an image that was sent before, on each line. A zip is listed
    as one file.

    Raises:
        DatasetNotFound: nothing is at one of the paths.
    """
    for path in paths:
        if not path.exists():
            raise DatasetNotFound(f"{path} does not exist; give files, folders, zips or lists.")
    for path in paths:
        if path.is_dir():
            yield from ((str(one), one) for one in _walk(path))
        elif path.suffix.lower() == ".txt":
            yield from _listed(path)
        else:
            yield str(path), path


def local_images(located: Iterable[Located], note: Callable[[str], object]) -> Iterator[NewImage | KeptImage]:
    """Reads what was located, one image at a time.

    Args:
        located: as `locate` lists it.
        note: is told what each image is called, in their order.

    Raises:
        InputRejected: an Archive… leaf.
        DatasetNotFound: a file is gone.
    """
    for name, place in located:
        if isinstance(place, KeptImage):
            note(name)
            yield place
            continue
        for inner, image in _read(place):
            note(f"{name}/{inner}" if inner else name)
            yield image


def _walk(folder: Path) -> Iterator[Path]:
    """The files of a folder, those of one folder in memory at a time."""
    for one in sorted(folder.iterdir()):
        if is_junk(one.name):
            continue
        if one.is_dir():
            yield from _walk(one)
        elif one.is_file():
            yield one


def _read(path: Path) -> Iterator[tuple[str, NewImage]]:
    try:
        with path.open("rb") as file:
            if is_archive(file):
                for member in read_members(file, _archive_limits(LOCAL_CAPS)):
                    yield member.name, NewImage(member.data, member.name)
                return
            file.seek(0)
            yield "", NewImage(file.read(LOCAL_CAPS.file_bytes + 1), path.name)
    except OSError as error:
        raise DatasetNotFound(f"{path} cannot be read: {error.strerror}.") from error


def _listed(path: Path) -> Iterator[Located]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetNotFound(f"{path} cannot be read as a list: {error}.") from error
    for line in filter(None, map(str.strip, lines)):
        reference = _REFERENCE.fullmatch(line)
        if reference:
            yield line, KeptImage(reference[1])
        else:
            yield line, path.parent / line


def _unpacked(parts: Sequence[UploadedPart], caps: BatchCaps) -> Iterator[NewImage]:
    for part in parts:
        with part.open() as file:
            if not is_archive(file):
                file.seek(0)
                yield NewImage(file.read(caps.file_bytes + 1))
                continue
            try:
                for member in read_members(file, _archive_limits(caps)):
                    yield NewImage(member.data, member.name)
            except ArchiveNested as error:  # its words name the member, and answers name no files
                raise ArchiveNested("the archive holds another one; unpack that one first") from error


def _counted(images: Iterator[NewImage], caps: BatchCaps) -> Iterator[NewImage]:
    for count, image in enumerate(images, start=1):
        if count > caps.files:
            raise ArchiveTooManyFiles(f"a batch takes at most {caps.files} files", limit=caps.files, actual=count)
        yield image


def _archive_limits(caps: BatchCaps) -> ArchiveLimits:
    return ArchiveLimits(
        members=caps.files * _MEMBERS_PER_FILE, total_bytes=caps.unpacked_bytes, member_bytes=caps.file_bytes
    )
