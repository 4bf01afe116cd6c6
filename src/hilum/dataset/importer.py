"""Reads a folder or zip of class folders into a manifest. Knows files and decoding, nothing of models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from hilum.dataset.archive import ArchiveLimits, extract_archive
from hilum.dataset.groups import apply_groups, infer_groups, read_groups_file
from hilum.dataset.layout import GROUPS_FILE
from hilum.dataset.manifest import DatasetManifest, RejectedFile
from hilum.dataset.scan import Scan, scan_folder
from hilum.dataset.series import series_groups
from hilum.errors import ArchiveNoUsableImages, DatasetEmpty, DatasetGroupsInvalid, DatasetNotFound
from hilum.imaging.decode import Limits

GroupsBy = Literal["near-copies", "series", "given"]


def read_dataset(
    source: Path,
    *,
    extract_within: Path | None = None,
    source_name: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    limits: Limits | None = None,
    archive_limits: ArchiveLimits | None = None,
) -> Scan:
    """Reads `<split>/<class>/…` or `<class>/…`, with or without folders wrapped around.

    Every file is decoded: what is no usable image is listed in `rejected` and stops nothing.

    Args:
        source: a folder, or a zip of one.
        extract_within: where the folder for a zip's files is made, named after the zip and its content; by default
            beside the zip.
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
    root = extract_archive(source, extract_within, limits=archive_limits) if is_archive else source
    name = source_name or (source.stem if is_archive else source.resolve().name)
    scan = scan_folder(root, name, progress=progress, limits=limits)
    if not scan.manifest.records:
        raise _nothing_usable(source, scan.manifest.rejected, is_archive=is_archive)
    return scan


def import_dataset(
    source: Path,
    *,
    groups: GroupsBy = "near-copies",
    extract_within: Path | None = None,
    source_name: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    limits: Limits | None = None,
    archive_limits: ArchiveLimits | None = None,
) -> DatasetManifest:
    """Imports a data set and groups its images.

    Args:
        source: a folder, or a zip of one.
        groups: what makes a group: `near-copies`; `series`, near copies and series named in the files' names; or
            `given`, only what groups.csv says, and each other content by itself. What groups.csv says always wins.
        extract_within, source_name, progress, limits, archive_limits: as for `read_dataset`.

    Raises:
        DatasetInvalid: as `read_dataset`; also where the groups are to be given and groups.csv is not there.
        InputRejected: as `read_dataset`.
    """
    scan = read_dataset(
        source,
        extract_within=extract_within,
        source_name=source_name,
        progress=progress,
        limits=limits,
        archive_limits=archive_limits,
    )
    manifest, given = scan.manifest, read_groups_file(scan.manifest.root)
    if groups == "given" and not given:
        raise DatasetGroupsInvalid(
            f"{GROUPS_FILE} is not at the root of {source.name}, so no groups are given; "
            "write it (columns path and group), or let the groups be inferred."
        )
    if groups == "near-copies":
        manifest = infer_groups(manifest, scan.fingerprints)
    elif groups == "series":
        manifest = series_groups(manifest, scan.fingerprints)
    return apply_groups(manifest, given)


def _nothing_usable(source: Path, rejected: Sequence[RejectedFile], *, is_archive: bool) -> Exception:
    reason = f" {len(rejected)} files were refused, the first one because: {rejected[0].detail}" if rejected else ""
    message = (
        f"{source.name} holds no usable image in a class folder; "
        f"arrange it as train/<class>/, valid/<class>/ and test/<class>/, or as <class>/ alone.{reason}"
    )
    return ArchiveNoUsableImages(message) if is_archive else DatasetEmpty(message)
