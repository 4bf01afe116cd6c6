"""What of an image waits to be scored: its pixels and warnings, or why it is refused. Nothing that names a person."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from hilum.errors import BatchItemFailed, HilumError, InputRejected, Overloaded
from hilum.imaging.decode import Decode
from hilum.services.batch_rules import NewImage

log = logging.getLogger(__name__)


def prepared(image: NewImage, decoder: Decode) -> tuple[dict[str, Any], bytes]:
    """Takes an image out of its file, whose header may name a person, before anything of it is put on disk.

    Args:
        image: as it was sent.
        decoder: decodes it.

    Returns:
        The item: `sha256` of the file, and either `size` of the bytes and the `warnings` that decoding gave, or the
        `problem`; and the bytes, a file of the same pixels and nothing else.

    Raises:
        Overloaded: no process could be started that decodes.
    """
    item: dict[str, Any] = {"sha256": hashlib.sha256(image.data).hexdigest()}
    try:
        ct_slice = decoder(image.data, name=image.name or None, with_pixel_file=True)
    except InputRejected as error:
        return item | {"problem": problem_of(error)}, b""
    except Overloaded:
        raise
    except Exception:
        log.exception("decoding an image of a batch failed")
        return item | {"problem": problem_of(BatchItemFailed("decoding failed; the server's log says how"))}, b""
    data = ct_slice.pixel_file
    if data is None:
        refusal = BatchItemFailed("its pixels may show a name, so they are put on no disk; send it to /predict")
        return item | {"problem": problem_of(refusal)}, b""
    return item | {"size": len(data), "warnings": list(ct_slice.warnings)}, data


def problem_of(error: HilumError) -> dict[str, Any]:
    """What is told of an image that has no result."""
    told = {"code": error.code, "title": error.title, "status": error.status, "detail": error.detail[:500]}
    more = {"limit": error.limit, "actual": error.actual, "reasons": list(getattr(error, "reasons", ())) or None}
    return told | {name: value for name, value in more.items() if value is not None}
