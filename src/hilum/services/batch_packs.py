"""Groups the images of a batch into chunks, and the bytes of a chunk into one blob. Scores nothing.

A chunk is what a worker takes at a time: large enough that the queue costs little, small enough to be held in memory
and lost.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from hilum.imaging.decode import Decode
from hilum.services.batch_items import prepared
from hilum.services.batch_rules import KeptImage, NewImage
from hilum.storage.batches import StoredChunk
from hilum.storage.blobs import Blobs

CHUNK_IMAGES = 64
CHUNK_BYTES = 16_000_000


def kind_of(batch_id: uuid.UUID) -> str:
    """The kind under which the packs of a batch are kept: its own, so that they can go with it."""
    return f"batches/{batch_id}"


def chunks_of(
    images: Iterable[NewImage | KeptImage], batch_id: uuid.UUID, packs: Blobs, decoder: Decode
) -> Iterator[StoredChunk]:
    """Keeps the pixels of each chunk and yields it; one chunk is in memory at a time.

    Raises:
        StorageInvalid: the bytes cannot be kept.
        Overloaded: no process could be started that decodes.
    """
    first = 0
    for number, (items, data) in enumerate(_grouped(images, decoder)):
        pack = packs.put(b"".join(data)) if any(data) else None
        yield StoredChunk(batch_id, number, first, items, pack)
        first += len(items)


def unpack(chunk: StoredChunk, pack: bytes | None) -> list[bytes | None]:
    """The bytes of each image of a chunk; None for one that is kept elsewhere, or has none."""
    files: list[bytes | None] = []
    start = 0
    for item in chunk.items:
        if "size" not in item or pack is None:
            files.append(None)
            continue
        files.append(pack[start : start + item["size"]])
        start += item["size"]
    return files


def _grouped(
    images: Iterable[NewImage | KeptImage], decoder: Decode
) -> Iterator[tuple[list[dict[str, Any]], list[bytes]]]:
    items: list[dict[str, Any]] = []
    data: list[bytes] = []
    size = 0
    for image in images:
        if isinstance(image, KeptImage):
            items.append({"sha256": image.sha256})
        else:
            item, pixels = prepared(image, decoder)
            if items and size + len(pixels) > CHUNK_BYTES:
                yield items, data
                items, data, size = [], [], 0
            items.append(item)
            data.append(pixels)
            size += len(pixels)
        if len(items) == CHUNK_IMAGES:
            yield items, data
            items, data, size = [], [], 0
    if items:
        yield items, data
