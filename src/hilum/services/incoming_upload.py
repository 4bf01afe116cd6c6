"""The labelled files of an upload, zips among them, one at a time. Knows archives and names, opens no image."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal

from hilum.dataset.archive import ArchiveLimits, is_archive, member_names, read_members
from hilum.dataset.class_names import normalise_class_name
from hilum.dataset.member_layout import MemberLabel, label_members
from hilum.errors import (
    ArchiveNested,
    ArchiveNoUsableImages,
    ArchiveTooManyFiles,
    DatasetInvalid,
    EmptyFile,
    LabelInvalid,
)
from hilum.imaging.formats import HEAD_BYTES, recognise
from hilum.services.image_reading import IncomingFile

_MEMBERS_PER_FILE = 3
"""A zip also lists folders and what operating systems leave behind."""


@dataclass(frozen=True)
class IntakeLimits:
    """Caps on an upload of labelled images.

    Attributes:
        files: in it, those of its zips counted one by one.
        unpacked_bytes: of all members of a zip together.
        file_bytes: of one file.
    """

    files: int = 5000
    unpacked_bytes: int = 2_000_000_000
    file_bytes: int = 50_000_000


IMPORT_LIMITS = IntakeLimits(files=50_000, unpacked_bytes=20_000_000_000, file_bytes=100_000_000)
"""What a person at the command line may bring: as much as `hilum dataset import` unpacks."""


@dataclass(frozen=True)
class UploadedPart:
    """One file as it was sent.

    Attributes:
        open: gives its bytes, from their beginning; they can be sought in.
        size: in bytes.
    """

    open: Callable[[], BinaryIO]
    size: int


@dataclass(frozen=True)
class _Source:
    """A part, with what is known of its files: one label, or in a zip one for each member."""

    part: UploadedPart
    first_index: int
    labels: Sequence[MemberLabel]
    names: Sequence[str] | None = None


class UploadListing:
    """The files of an upload and their labels, verified as far as archives go."""

    def __init__(
        self,
        parts: Sequence[UploadedPart],
        *,
        label: str | None,
        group: str | None,
        known_classes: Collection[str] = (),
        limits: IntakeLimits | None = None,
    ) -> None:
        """Lists the files and unpacks every zip once, so that one that cannot be trusted leaves nothing behind.

        Args:
            parts: as they were sent.
            label: the class of every file; without one, a zip's folders say.
            group: the patient or series of every file.
            known_classes: folders of these names are classes wherever they stand.
            limits: caps.

        Raises:
            LabelInvalid: the label can be no class name, or an image outside of a zip has none.
            UnsupportedMediaType: a file without a label is neither an image nor a zip.
            InputRejected: an Archive… leaf; a zip that cannot be trusted is refused, and with it the upload.
        """
        self._limits = limits or IntakeLimits()
        self._group = group
        self._label = _class_of(label) if label is not None else None
        self._sources: list[_Source] = []
        self.count = 0
        for part in parts:
            source = self._listed(part, known_classes)
            self._sources.append(source)
            self.count += len(source.labels)
            if self.count > self._limits.files:
                raise ArchiveTooManyFiles(
                    f"an upload takes at most {self._limits.files} files", limit=self._limits.files, actual=self.count
                )
        if not self.count:
            raise ArchiveNoUsableImages("the archive holds no files")
        for source in self._sources:
            if source.names is not None:
                _verify(source.part, self._archive_limits)

    def files(self) -> Iterator[IncomingFile]:
        """Every file once, those of a test split first."""
        for split in ("test", "train"):
            for source in self._sources:
                yield from self._files_of(source, split)

    @property
    def names(self) -> list[str]:
        """What each file is called in its zip, by its index; empty for one that came by itself. Not to be answered."""
        return [name for source in self._sources for name in source.names or [""] * len(source.labels)]

    @property
    def _archive_limits(self) -> ArchiveLimits:
        return ArchiveLimits(
            members=self._limits.files * _MEMBERS_PER_FILE,
            total_bytes=self._limits.unpacked_bytes,
            member_bytes=self._limits.file_bytes,
        )

    def _listed(self, part: UploadedPart, known_classes: Collection[str]) -> _Source:
        with part.open() as file:
            if not is_archive(file):
                if self._label is None:
                    if not part.size:
                        raise EmptyFile("a file has no bytes")
                    file.seek(0)
                    recognise(file.read(HEAD_BYTES))  # another kind of archive is told so
                    raise LabelInvalid("send `label`, the class of the files, or one zip with a folder a class")
                return _Source(part, self.count, [MemberLabel(self._label)])
            names = member_names(file, self._archive_limits)
        labels = [MemberLabel(self._label)] * len(names) if self._label else label_members(names, known_classes)
        return _Source(part, self.count, labels, names)

    def _files_of(self, source: _Source, split: Literal["test", "train"]) -> Iterator[IncomingFile]:
        wanted = [place for place, label in enumerate(source.labels) if _side(label) == split]
        if not wanted:
            return
        with source.part.open() as file:
            if source.names is None:
                data = file.read(self._limits.file_bytes + 1)
                yield IncomingFile(source.first_index, data, source.labels[0].class_name, split, self._group)
                return
            place_of = {source.names[place]: place for place in wanted}
            for member in read_members(file, self._archive_limits, is_wanted=place_of.__contains__):
                place = place_of[member.name]
                class_name = source.labels[place].class_name
                yield IncomingFile(source.first_index + place, member.data, class_name, split, self._group)


def _side(label: MemberLabel) -> Literal["test", "train"]:
    return "test" if label.split == "test" else "train"


def _verify(part: UploadedPart, limits: ArchiveLimits) -> None:
    try:
        with part.open() as file:
            for _ in read_members(file, limits):
                pass
    except ArchiveNested as error:  # its words name the member, and answers name no files
        raise ArchiveNested("the archive holds another one; unpack that one first") from error


def _class_of(label: str) -> str:
    try:
        return normalise_class_name(label)
    except DatasetInvalid as error:
        raise LabelInvalid("the label holds no letter or digit") from error
