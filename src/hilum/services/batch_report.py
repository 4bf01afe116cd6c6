"""What is stored and told of a batch of labelled images. Decides nothing and stores nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from hilum.errors import ArchiveNoUsableImages, UnsupportedMediaType
from hilum.services.candidates import Candidate, tally
from hilum.services.image_pool import FingerprintFile
from hilum.storage.labelled_images import NewImage
from hilum.storage.upload_batches import StoredBatch


def require_usable(candidates: Sequence[Candidate]) -> None:
    """Returns where anything of a batch can be kept.

    Raises:
        UnsupportedMediaType: every file is of a kind that is not read.
        ArchiveNoUsableImages: nothing can be kept; the message counts why.
    """
    refused = [candidate for candidate in candidates if candidate.status == "refused"]
    if len(refused) < len(candidates):
        return
    if refused and all(candidate.code == UnsupportedMediaType.code for candidate in refused):
        raise UnsupportedMediaType(refused[0].reasons[0]["detail"])
    codes = sorted({candidate.code or "" for candidate in refused})
    told = "; ".join(f"{code}: {sum(c.code == code for c in refused)}" for code in codes) or "there are no files"
    raise ArchiveNoUsableImages(f"no file can be kept ({told})", actual=len(candidates))


def batch_of(candidates: Sequence[Candidate], source: str, actor: str, now: datetime) -> StoredBatch:
    """The batch with its report, an item for each file in the order they were sent."""
    counts = tally(candidates)
    items = [_item(candidate) for candidate in sorted(candidates, key=lambda candidate: candidate.index)]
    return StoredBatch(
        uuid.uuid4(), now, source, actor,
        counts["accepted"], counts["duplicate"], counts["quarantined"], counts["refused"], items,
    )  # fmt: skip


def _item(candidate: Candidate) -> dict[str, Any]:
    return {
        "index": candidate.index,
        "image_id": str(candidate.image_id) if candidate.image_id is not None else None,
        "sha256": candidate.read.sha256,
        "label": candidate.class_name or None,
        "status": candidate.status,
        "code": candidate.code,
        "reasons": [reason["detail"] for reason in candidate.reasons],
        "other_image_id": next((r["image_id"] for r in candidate.reasons if "image_id" in r), None),
    }


def rows_of(candidates: Sequence[Candidate], batch: StoredBatch, prints: FingerprintFile) -> Iterator[NewImage]:
    """The images of a batch that are kept."""
    for candidate in candidates:
        entry, read = candidate.entry, candidate.read
        if not candidate.is_kept or entry is None:
            continue
        yield NewImage(
            id=entry.id,
            sequence=0,
            batch_id=batch.id,
            sha256=read.sha256,
            class_name=candidate.class_name,
            group_name=candidate.group,
            split=candidate.split,
            source=batch.source,
            status=candidate.status,
            reasons=candidate.reasons,
            added_at=batch.created_at,
            file_format=read.file_format,
            mode=read.mode,
            width=read.width,
            height=read.height,
            size_bytes=read.size_bytes,
            kept_sha256=candidate.kept_sha256,
            pixels_sha256=read.pixels_sha256,
            sketch=read.sketch.tobytes() if read.sketch is not None else None,
            fingerprint=prints.read(entry.slot) if entry.slot is not None else None,
        )
