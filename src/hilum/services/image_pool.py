"""The images an incoming one is compared with: those stored, and those of its own batch. Decides nothing."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.neighbours import HEIGHT, WIDTH
from hilum.dataset.recognition import KnownSlices, Match
from hilum.services.image_reading import ReadImage
from hilum.storage import labelled_images
from hilum.storage.database import Database
from hilum.storage.labelled_images import KnownImage

_SIZE = WIDTH * HEIGHT


class FingerprintFile:
    """Fingerprints of a batch in a temporary file, so that memory does not grow with the batch."""

    def __init__(self) -> None:
        """Makes the file; it goes when it is closed."""
        self._file: Any = TemporaryFile(prefix="hilum-fingerprints-")  # noqa: SIM115 - closed by `close`
        self._count = 0

    def append(self, fingerprint: NDArray[np.uint8]) -> int:
        """Keeps one and returns its slot."""
        self._file.seek(self._count * _SIZE)
        self._file.write(fingerprint.tobytes())
        self._count += 1
        return self._count - 1

    def read(self, slot: int) -> bytes:
        """The one in a slot."""
        self._file.seek(slot * _SIZE)
        found: bytes = self._file.read(_SIZE)
        return found

    def close(self) -> None:
        """Forgets all of them."""
        self._file.close()


@dataclass
class PoolEntry:
    """One image of the pool.

    Attributes:
        group, status: may change while the batch is under way.
        slot: of its fingerprint, for an image of the batch; None for a stored one.
    """

    id: uuid.UUID
    sha256: str
    pixels_sha256: str | None
    class_name: str
    group: str
    split: str
    status: str
    slot: int | None = None


class ImagePool:
    """Finds images again by bytes, by pixels and by what they show. Not safe to use from several threads."""

    def __init__(self, database: Database, prints: FingerprintFile, stored: Iterable[KnownImage] = ()) -> None:
        """Takes the stored images.

        Args:
            database: that keeps the fingerprints of stored images.
            prints: that keeps those of the batch.
            stored: every image to compare with.
        """
        self._database = database
        self._prints = prints
        self._entries: list[PoolEntry] = []
        self._by_digest: dict[str, list[PoolEntry]] = defaultdict(list)
        self._slices = {split: KnownSlices(self._fingerprints) for split in ("train", "test")}
        self.last_sequence = 0
        for image in stored:
            self.last_sequence = image.sequence
            entry = PoolEntry(
                image.id,
                image.sha256,
                image.pixels_sha256,
                image.class_name,
                image.group_name,
                image.split,
                image.status,
            )
            self._add(entry, image.sketch)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to compare with."""
        return not self._entries

    @property
    def classes(self) -> frozenset[str]:
        """The classes of what is accepted."""
        return frozenset(entry.class_name for entry in self._entries if entry.status == "accepted")

    def groups(self, split: str) -> frozenset[str]:
        """The groups of what is accepted in a split."""
        return frozenset(e.group for e in self._entries if e.status == "accepted" and e.split == split)

    def add(self, entry: PoolEntry, read: ReadImage) -> None:
        """Adds an image of the batch."""
        self._add(entry, read.sketch)

    def twins(self, read: ReadImage) -> list[PoolEntry]:
        """Images with the same bytes or the same pixels."""
        found = {id(entry): entry for entry in self._by_digest[read.sha256]}
        if read.pixels_sha256 is not None:
            found.update({id(entry): entry for entry in self._by_digest[read.pixels_sha256]})
        return list(found.values())

    def matches(self, read: ReadImage, split: str) -> list[tuple[PoolEntry, Match]]:
        """Accepted images of a split that show the same slice, or nearly; the most alike first."""
        if read.fingerprint is None or read.sketch is None:
            return []
        found = self._slices[split].matches(read.fingerprint, read.sketch)
        entries = ((self._entries[match.number], match) for match in found)
        return [(entry, match) for entry, match in entries if entry.status == "accepted"]

    def _add(self, entry: PoolEntry, sketch: NDArray[np.float32] | None) -> None:
        number = len(self._entries)
        self._entries.append(entry)
        self._by_digest[entry.sha256].append(entry)
        if entry.pixels_sha256 is not None:
            self._by_digest[entry.pixels_sha256].append(entry)
        if sketch is not None and entry.status == "accepted":
            self._slices[entry.split].add(number, sketch)

    def _fingerprints(self, numbers: Sequence[int]) -> NDArray[np.uint8]:
        entries = [self._entries[number] for number in numbers]
        stored: dict[uuid.UUID, NDArray[np.uint8]] = {}
        if wanted := [entry.id for entry in entries if entry.slot is None]:
            with self._database.reading() as connection:
                stored = labelled_images.fingerprints(connection, wanted)
        return np.stack(
            [
                stored[entry.id] if entry.slot is None else np.frombuffer(self._prints.read(entry.slot), np.uint8)
                for entry in entries
            ]
        )
