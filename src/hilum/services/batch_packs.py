"""Groups the images of a batch into chunks, and the bytes of a chunk into one blob. Scores nothing.

A chunk is what a worker takes at a time: large enough that the queue costs little, small enough to be held in memory
and lost.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any

from hilum.services.batch_rules import KeptImage, NewImage
from hilum.storage.batches import StoredChunk
from hilum.storage.blobs import Blobs

CHUNK_IMAGES = 64
CHUNK_BYTES = 16_000_000
_LONGEST_ENDING = 8


def kind_of(batch_id: uuid.UUID) -> str:
    """The kind under which the packs of a batch are kept: its own, so that they can go with it."""
    return f"batches/{batch_id}"


def chunks_of(images: Iterable[NewImage | KeptImage], batch_id: uuid.UUID, packs: Blobs) -> Iterator[StoredChunk]:
    """Keeps the bytes of each chunk and yields it; one chunk is in memory at a time.

    Raises:
        StorageInvalid: the bytes cannot be kept.
    """
    first = 0
    for number, (items, data) in enumerate(_grouped(images)):
        pack = packs.put(b"".join(data)) if data else None
        yield StoredChunk(batch_id, number, first, items, pack)
        first += len(items)


def unpack(chunk: StoredChunk, pack: bytes | None) -> list[bytes | None]:
    """The bytes of each image of a chunk; None for one that is kept elsewhere."""
    files: list[bytes | None] = []
    start = 0
    for item in chunk.items:
        if "size" not in item or pack is None:
            files.append(None)
            continue
        files.append(pack[start : start + item["size"]])
        start += item["size"]
    return files


def _grouped(images: Iterable[NewImage | KeptImage]) -> Iterator[tuple[list[dict[str, Any]], list[bytes]]]:
    items: list[dict[str, Any]] = []
    data: list[bytes] = []
    size = 0
    for image in images:
        if isinstance(image, KeptImage):
            items.append({"sha256": image.sha256})
        else:
            if items and size + len(image.data) > CHUNK_BYTES:
                yield items, data
                items, data, size = [], [], 0
            items.append(_item(image))
            data.append(image.data)
            size += len(image.data)
        if len(items) == CHUNK_IMAGES:
            yield items, data
            items, data, size = [], [], 0
    if items:
        yield items, data


def _item(image: NewImage) -> dict[str, Any]:
    ending = PurePath(image.name).suffix.lower()
    is_plain = 1 < len(ending) <= _LONGEST_ENDING and ending[1:].isascii() and ending[1:].isalnum()
    item = {"sha256": hashlib.sha256(image.data).hexdigest(), "size": len(image.data)}
    return item | ({"ending": ending} if is_plain else {})
