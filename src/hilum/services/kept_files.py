"""Rewrites files that were kept as they were sent, before revision 0007, as copies of their pixels. Knows no HTTP."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from hilum.errors import BlobCorrupt, BlobMissing, InputRejected
from hilum.imaging.decode import Decode
from hilum.storage import predictions
from hilum.storage.blobs import Blobs
from hilum.storage.database import Database

log = logging.getLogger(__name__)

_AT_ONCE = 200


@dataclass(frozen=True)
class Rewritten:
    """What became of files that were kept whole.

    Attributes:
        copied: are kept as a copy of their pixels.
        forgotten: are kept no more, since their pixels show text, they cannot be read, or they were not there.
        damaged: are not what was kept, and were left; a backup may bring them back.
    """

    copied: int = 0
    forgotten: int = 0
    damaged: int = 0


def rewrite_kept_files(database: Database, blobs: Blobs, decode: Decode) -> Rewritten:
    """Replaces each file that is kept as it was sent by a copy of its pixels, and deletes the file.

    A server may go on serving; ended at any point, the next call goes on. The copy is there before the rows name it,
    and the file is deleted after they do.

    Raises:
        StorageInvalid: the database or the store does not answer.
    """
    copied = forgotten = damaged = 0
    last = ""
    while True:
        with database.reading() as connection:
            some = predictions.files_kept_whole(connection, after=last, limit=_AT_ONCE)
        if not some:
            return Rewritten(copied, forgotten, damaged)
        for digest in some:
            try:
                copy = _copy_of(blobs, decode, digest)
            except BlobCorrupt as error:
                log.error("a kept file is damaged", extra={"reason": error.detail})  # noqa: TRY400 - it says it all
                damaged += 1
                continue
            _replace(database, blobs, digest, copy)
            copied += copy is not None
            forgotten += copy is None
        last = some[-1]


def _copy_of(blobs: Blobs, decode: Decode, digest: str) -> str | None:
    """Keeps the copy of a file and returns its sha256; None where there is none to keep."""
    try:
        copy = decode(blobs.get(digest), with_pixel_file=True).pixel_file
    except (BlobMissing, InputRejected) as error:
        log.warning("a kept file is forgotten", extra={"reason": error.detail})
        return None
    return blobs.put(copy) if copy is not None else None


def _replace(database: Database, blobs: Blobs, digest: str, copy: str | None) -> None:
    with database.writing() as connection:
        predictions.keep_copy_instead(connection, digest, copy)
        is_used = bool(predictions.images_in_use(connection, [digest]))
    if not is_used:
        blobs.delete(digest)
