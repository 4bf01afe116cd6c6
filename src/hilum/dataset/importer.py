"""Reads a folder or zip of class folders into a manifest. Knows files and decoding, nothing of models."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.archive import ArchiveLimits, extract_archive
from hilum.dataset.groups import apply_groups, fingerprint_of, infer_groups, read_groups_file
from hilum.dataset.layout import LabelledFile, read_layout
from hilum.dataset.manifest import DatasetManifest, ImageRecord, RejectedFile
from hilum.errors import (
    ArchiveNoUsableImages,
    DatasetEmpty,
    DatasetNotFound,
    EmptyFile,
    ImageTooLarge,
    InputRejected,
)
from hilum.imaging.decode import Limits, decode


def import_dataset(
    source: Path,
    *,
    extract_to: Path | None = None,
    source_name: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    limits: Limits | None = None,
    archive_limits: ArchiveLimits | None = None,
) -> DatasetManifest:
    """Imports `<split>/<class>/…` or `<class>/…`, with or without folders wrapped around.

    Every file is decoded: what is no usable image is listed in `rejected` and stops nothing.

    Args:
        source: a folder, or a zip of one.
        extract_to: folder for a zip's files; by default one beside the zip, named after it and its content.
        source_name: written into the records; by default the name of `source` without its extension.
        progress: called with (files done, files in all).
        limits: caps for one image.
        archive_limits: caps for a zip.

    Raises:
        DatasetInvalid: nothing is there, or no class folder holds a usable image, or a leaf that says what else.
        InputRejected: the source is a file but no zip, or an Archive… leaf that says why the zip is refused.
    """
    if not source.exists():
        raise DatasetNotFound(f"{source} does not exist; give a folder of class folders, or a zip of one.")
    is_archive = source.is_file()
    root = extract_archive(source, extract_to, limits=archive_limits) if is_archive else source
    layout = read_layout(root)

    records: list[ImageRecord] = []
    fingerprints: list[NDArray[np.uint8]] = []
    rejected = [
        RejectedFile(path=path, code="outside-class-folders", detail="The file lies in no class folder.")
        for path in layout.strays
    ]
    name = source_name or (source.stem if is_archive else source.resolve().name)
    for done, file in enumerate(layout.files, start=1):
        try:
            record, fingerprint = _read_image(root, file, name, limits or Limits())
            records.append(record)
            fingerprints.append(fingerprint)
        except InputRejected as error:
            rejected.append(RejectedFile(path=file.path, code=error.code, detail=error.detail))
        if progress:
            progress(done, len(layout.files))
    if not records:
        raise _nothing_usable(source, rejected, is_archive=is_archive)

    manifest = DatasetManifest(
        root=root,
        source=name,
        class_names=tuple(sorted({r.class_name for r in records})),
        records=tuple(records),
        rejected=tuple(sorted(rejected, key=lambda file: file.path)),
    )
    return apply_groups(infer_groups(manifest, np.stack(fingerprints)), read_groups_file(root))


def _read_image(
    root: Path, file: LabelledFile, source_name: str, limits: Limits
) -> tuple[ImageRecord, NDArray[np.uint8]]:
    path = root / file.path
    size_bytes = path.stat().st_size
    if size_bytes > limits.file_bytes:
        raise ImageTooLarge(
            f"The file has {size_bytes} bytes; the limit is {limits.file_bytes}.",
            limit=limits.file_bytes,
            actual=size_bytes,
        )
    if not size_bytes:
        raise EmptyFile("The file has no bytes.")
    data = path.read_bytes()
    ct_slice = decode(data, name=file.path, limits=limits)
    height, width = ct_slice.pixels.shape
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
        size_bytes=size_bytes,
        warnings=ct_slice.warnings,
    )
    return record, fingerprint_of(ct_slice.pixels)


def _nothing_usable(source: Path, rejected: list[RejectedFile], *, is_archive: bool) -> Exception:
    reason = f" {len(rejected)} files were refused, the first one because: {rejected[0].detail}" if rejected else ""
    message = (
        f"{source.name} holds no usable image in a class folder; "
        f"arrange it as train/<class>/, valid/<class>/ and test/<class>/, or as <class>/ alone.{reason}"
    )
    return ArchiveNoUsableImages(message) if is_archive else DatasetEmpty(message)
