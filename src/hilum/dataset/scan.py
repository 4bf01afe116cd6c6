"""Reads every file of a data set once, several at a time. Knows files, pixels and appearance, no groups or splits."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.cores import usable_cores
from hilum.dataset.appearance import APPEARANCE_NAMES, appearance_of
from hilum.dataset.groups import fingerprint_of
from hilum.dataset.layout import LabelledFile, read_layout
from hilum.dataset.manifest import DatasetManifest, ImageRecord, RejectedFile
from hilum.errors import EmptyFile, ImageTooLarge, InputRejected
from hilum.imaging.body import find_body
from hilum.imaging.decode import Limits, decode

THUMBNAIL_SIDE = 64

T = TypeVar("T")


@dataclass(frozen=True)
class Scan:
    """What was read of a data set; every row belongs to the record of the same place.

    Attributes:
        manifest: the images, each its own group, and the files refused.
        fingerprints: (N, 6912) uint8, of the body.
        thumbnails: (N, 64, 64) uint8, of the whole picture, stretched.
        appearance: (N, len(APPEARANCE_NAMES)) float32.
    """

    manifest: DatasetManifest
    fingerprints: NDArray[np.uint8]
    thumbnails: NDArray[np.uint8]
    appearance: NDArray[np.float32]


@dataclass(frozen=True)
class _ReadImage:
    record: ImageRecord
    fingerprint: NDArray[np.uint8]
    thumbnail: NDArray[np.uint8]
    appearance: NDArray[np.float32]


def scan_folder(
    root: Path,
    source_name: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    limits: Limits | None = None,
    workers: int | None = None,
) -> Scan:
    """Decodes every file in a class folder; what is no usable image is listed in the manifest's `rejected`.

    Args:
        root: folder of split or class folders.
        source_name: written into the records.
        progress: called with (files done, files in all).
        limits: caps for one image.
        workers: threads, by default one for each core this process may use: decoders run outside of Python's lock.

    Raises:
        DatasetInvalid: as `read_layout`.
    """
    layout = read_layout(root)
    rejected = [
        RejectedFile(path=_told(path), code="outside-class-folders", detail="The file lies in no class folder.")
        for path in layout.strays
    ]
    read: list[_ReadImage] = []
    caps = limits or Limits()
    outcomes = _in_order(lambda file: _read_or_refuse(root, file, source_name, caps), layout.files, workers)
    for done, outcome in enumerate(outcomes, start=1):
        if isinstance(outcome, RejectedFile):
            rejected.append(outcome)
        else:
            read.append(outcome)
        if progress:
            progress(done, len(layout.files))
    manifest = DatasetManifest(
        root=root,
        source=source_name,
        class_names=tuple(sorted({image.record.class_name for image in read})),
        records=tuple(image.record for image in read),
        rejected=tuple(sorted(rejected, key=lambda file: file.path)),
    )
    return Scan(manifest, *_stacked(read))


def scan_manifest(
    manifest: DatasetManifest, *, progress: Callable[[int, int], None] | None = None, workers: int | None = None
) -> Scan:
    """Reads the images of a manifest again; its splits and groups stay as they are.

    Raises:
        InputRejected: a file has become unusable since the import.
    """
    files = [LabelledFile(record.path, record.split, record.class_name) for record in manifest.records]
    read = []
    outcomes = _in_order(lambda file: _read(manifest.root, file, manifest.source, Limits()), files, workers)
    for done, image in enumerate(outcomes, start=1):
        read.append(image)
        if progress:
            progress(done, len(files))
    return Scan(manifest, *_stacked(read))


def _in_order(work: Callable[[LabelledFile], T], files: Sequence[LabelledFile], workers: int | None) -> Iterator[T]:
    """Results in the files' order, with few of them waiting: pixels must not pile up in memory."""
    count = workers or usable_cores()
    pending: deque[Future[T]] = deque()
    with ThreadPoolExecutor(count) as pool:
        for file in files:
            pending.append(pool.submit(work, file))
            if len(pending) > 4 * count:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _read_or_refuse(root: Path, file: LabelledFile, source_name: str, limits: Limits) -> _ReadImage | RejectedFile:
    try:
        return _read(root, file, source_name, limits)
    except InputRejected as error:
        return RejectedFile(path=_told(file.path), code=error.code, detail=error.detail)


def _told(path: str) -> str:
    """The path as text that can be written: a name's bytes need not be UTF-8."""
    return path.encode("utf-8", "backslashreplace").decode()


def _read(root: Path, file: LabelledFile, source_name: str, limits: Limits) -> _ReadImage:
    if _told(file.path) != file.path:
        raise InputRejected("The file's name, or its folder's, is no UTF-8; rename it.")
    data = _bytes_of(root / file.path, limits)
    ct_slice = decode(data, name=file.path, limits=limits)
    pixels = ct_slice.pixels
    height, width = pixels.shape
    sha256 = hashlib.sha256(data).hexdigest()
    record = ImageRecord(
        path=file.path,
        sha256=sha256,
        class_name=file.class_name,
        split=file.split,
        group=sha256[:16],
        source=source_name,
        file_format=ct_slice.file_format,
        width=width,
        height=height,
        mode=ct_slice.mode,
        size_bytes=len(data),
        warnings=ct_slice.warnings,
    )
    body = find_body(pixels)
    side = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    shrinks = min(pixels.shape) >= THUMBNAIL_SIDE
    thumbnail = cv2.resize(pixels, side, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    thumbnail = np.clip(np.rint(thumbnail), 0, 255).astype(np.uint8)
    return _ReadImage(record, fingerprint_of(pixels, body), thumbnail, appearance_of(pixels, body, record))


def _bytes_of(path: Path, limits: Limits) -> bytes:
    try:
        size_bytes = path.stat().st_size
        if size_bytes > limits.file_bytes:
            raise ImageTooLarge(
                f"The file has {size_bytes} bytes; the limit is {limits.file_bytes}.",
                limit=limits.file_bytes,
                actual=size_bytes,
            )
        data = path.read_bytes()
    except OSError as error:  # it may not be read, or has gone since the folder was listed
        raise InputRejected(f"The file cannot be read: {error.strerror}.") from error
    if not data:
        raise EmptyFile("The file has no bytes.")
    return data


def _stacked(
    read: Sequence[_ReadImage],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
    if not read:
        empty = np.empty((0, 0), np.uint8)
        return empty, empty, np.empty((0, len(APPEARANCE_NAMES)), np.float32)
    return (
        np.stack([image.fingerprint for image in read]),
        np.stack([image.thumbnail for image in read]),
        np.stack([image.appearance for image in read]),
    )
