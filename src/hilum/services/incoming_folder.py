"""The labelled files of a folder, one at a time. Knows folders and their names, opens no image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hilum.dataset.class_names import normalise_class_name
from hilum.dataset.groups import read_groups_file
from hilum.dataset.layout import is_junk, read_layout
from hilum.errors import DatasetEmpty, DatasetNotFound
from hilum.imaging.limits import Limits
from hilum.services.image_reading import IncomingFile


@dataclass(frozen=True)
class FolderFile:
    """Where a file lies, and what the folder says of it."""

    path: Path
    class_name: str | None
    split: Literal["train", "test"]
    group: str | None


def list_folder(root: Path, *, label: str | None = None, group: str | None = None) -> list[FolderFile]:
    """Lists the labelled files of `train|valid|test/<class>/…` or `<class>/…`, those of the test split first.

    Args:
        root: a folder, or one file where a label is given.
        label: the class of every file, whatever its folder; nothing is then a test image.
        group: the patient or series of every file; else `groups.csv` may name them.

    Raises:
        DatasetInvalid: nothing is there, or no class can be told, or groups.csv cannot be read.
    """
    if not root.exists():
        raise DatasetNotFound(f"{root} does not exist; give a folder of class folders, or files with --label.")
    if label is not None:
        class_name = normalise_class_name(label)
        paths = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file() and not is_junk(p.name))
        found = [FolderFile(path, class_name, "train", group) for path in paths]
    else:
        groups = read_groups_file(root)
        found = [
            FolderFile(
                root / file.path,
                file.class_name,
                "test" if file.split == "test" else "train",
                group or groups.get(file.path),
            )
            for file in read_layout(root).files
        ]
    if not found:
        raise DatasetEmpty(f"{root} holds no file in a class folder; arrange it as train/<class>/ or <class>/.")
    return sorted(found, key=lambda file: file.split != "test")


def read_files(files: list[FolderFile], limits: Limits | None = None) -> Iterator[IncomingFile]:
    """Reads listed files one at a time; of one that is too large, enough to tell."""
    most = (limits or Limits()).file_bytes + 1
    for index, file in enumerate(files):
        with file.path.open("rb") as stream:
            yield IncomingFile(index, stream.read(most), file.class_name, file.split, file.group)
