"""How a batch stands, what it may hold, and its images on their way in. Values only; knows no database."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class BatchStatus(StrEnum):
    """How a batch stands; the first two are active, the others have ended."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_active(self) -> bool:
        """Whether images of it are still to be scored."""
        return self in {BatchStatus.QUEUED, BatchStatus.RUNNING}


@dataclass(frozen=True)
class BatchCaps:
    """Caps on a batch.

    Attributes:
        files: in it, those of its zips counted one by one.
        unpacked_bytes: of all members of a zip together.
        file_bytes: of one file; of a larger one so much is kept that its refusal can say so.
    """

    files: int = 20_000
    unpacked_bytes: int = 8_000_000_000
    file_bytes: int = 50_000_000


LOCAL_CAPS = BatchCaps(files=10_000_000, unpacked_bytes=2_000_000_000_000)
"""What a person at the command line may bring."""


@dataclass(frozen=True)
class NewImage:
    """An image to score, as bytes.

    Attributes:
        data: the file's.
        name: what it is called; only its ending is kept, which is compared with the content.
    """

    data: bytes
    name: str = ""


@dataclass(frozen=True)
class KeptImage:
    """An image to score that was sent before.

    Attributes:
        sha256: of the file as it was sent then.
    """

    sha256: str
