"""A process that decodes what it is handed, one file after another, within limits of memory, time and files.

What a codec can be made to do by a hostile file, it does here: without the service's memory, files, secrets or life.
The frames between it and its parent hold JSON and raw arrays, never pickles: the parent trusts neither side.
"""

from __future__ import annotations

import json
import struct
import sys
from dataclasses import asdict
from typing import IO, Any

import numpy as np

from hilum.errors import ImageTooLarge, InputRejected
from hilum.imaging.decode import CtSlice, Limits, decode

CPU_SECONDS = 5
MEMORY_BYTES = 512_000_000
"""On top of what the process has once it is ready."""

READY = b"R"
_SIZES = struct.Struct(">III")
_MOST_FRAME = 300_000_000


def write_frame(out: IO[bytes], head: dict[str, Any], *parts: bytes) -> None:
    """Writes a head in JSON and two parts at most, each with its length."""
    first, second = (*parts, b"", b"")[:2]
    words = json.dumps(head).encode()
    out.write(_SIZES.pack(len(words), len(first), len(second)))
    out.writelines((words, first, second))
    out.flush()


def read_frame(source: IO[bytes]) -> tuple[dict[str, Any], bytes, bytes] | None:
    """Reads what `write_frame` wrote; None where the other side has gone.

    Raises:
        ValueError: it is no such frame.
    """
    sizes = source.read(_SIZES.size)
    if len(sizes) < _SIZES.size:
        return None
    lengths = _SIZES.unpack(sizes)
    if sum(lengths) > _MOST_FRAME:
        raise ValueError("a frame is too long")
    words, first, second = (source.read(length) for length in lengths)
    if (len(words), len(first), len(second)) != lengths:
        return None
    return json.loads(words), first, second


def slice_frame(ct_slice: CtSlice) -> tuple[dict[str, Any], bytes, bytes]:
    """A decoded slice as a head and two parts: pixels, and the copy that may be kept."""
    head = {
        "shape": ct_slice.pixels.shape,
        "dtype": str(ct_slice.pixels.dtype),
        "file_format": ct_slice.file_format,
        "mode": ct_slice.mode,
        "warnings": ct_slice.warnings,
        "has_copy": ct_slice.pixel_file is not None,
    }
    return head, ct_slice.pixels.tobytes(), ct_slice.pixel_file or b""


def slice_of(head: dict[str, Any], pixels: bytes, copy: bytes, limits: Limits) -> CtSlice:
    """The slice of a frame, whose claims are checked.

    Raises:
        ValueError: they do not fit each other, or the limits.
    """
    height, width = (int(side) for side in head["shape"])
    if head["dtype"] not in {"uint8", "float32"} or not 0 < height * width <= limits.pixels:
        raise ValueError("a decoded slice has an impossible shape")
    array = np.frombuffer(pixels, head["dtype"]).reshape(height, width)
    warnings = tuple(str(code)[:64] for code in head["warnings"][:20])
    return CtSlice(
        array, str(head["file_format"])[:16], str(head["mode"])[:64], warnings, copy if head["has_copy"] else None
    )


def main() -> None:
    """Decodes until standard input ends."""
    import cv2

    cv2.setNumThreads(1)
    source, out = sys.stdin.buffer, sys.stdout.buffer
    _limit_memory()
    out.write(READY)
    out.flush()
    while (frame := read_frame(source)) is not None:
        head, data, _ = frame
        _limit_time()
        try:
            ct_slice = decode(
                data, name=head["name"], limits=Limits(**head["limits"]), with_pixel_file=head["with_pixel_file"]
            )
        except InputRejected as error:
            write_frame(out, _refusal(error))
        except MemoryError:
            write_frame(out, _refusal(ImageTooLarge("The image takes more memory to decode than is set aside for it.")))
        else:
            write_frame(out, *slice_frame(ct_slice))


def request_frame(name: str | None, limits: Limits, *, with_pixel_file: bool) -> dict[str, Any]:
    """The head that goes with a file's bytes."""
    return {"name": name, "limits": asdict(limits), "with_pixel_file": with_pixel_file}


def _refusal(error: InputRejected) -> dict[str, Any]:
    return {"code": error.code, "detail": error.detail, "limit": error.limit, "actual": error.actual}


def _limit_memory() -> None:
    """Neither memory beyond the limit, nor any byte written to a file (setrlimit(2)); nothing where that is unknown."""
    try:
        import resource
    except ImportError:
        return
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - pathlib would be loaded for it
        pages = int(statm.read().split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_time() -> None:
    """The next file gets so many seconds of processor time; beyond, the kernel ends the process."""
    try:
        import resource
    except ImportError:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + CPU_SECONDS + 1, most))


if __name__ == "__main__":
    main()
