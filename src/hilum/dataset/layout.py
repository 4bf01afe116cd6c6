"""Which file belongs to which split and class, by the folders it lies in. Opens no file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hilum.dataset.class_names import normalise_class_name, split_of_folder
from hilum.dataset.manifest import Split
from hilum.errors import DatasetClassCollision

GROUPS_FILE = "groups.csv"
_JUNK = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
_MAX_WRAPPERS = 4


@dataclass(frozen=True)
class LabelledFile:
    """A file in a class folder.

    Attributes:
        path: relative to the root, with forward slashes.
        split: train, valid, test, or empty where the data set is not split.
        class_name: normalised.
    """

    path: str
    split: Split
    class_name: str


@dataclass(frozen=True)
class Layout:
    """The files of a data set in the order of their paths, and those that no class folder holds."""

    files: tuple[LabelledFile, ...]
    strays: tuple[str, ...]


def is_junk(name: str) -> bool:
    """Whether operating systems leave files and folders of this name behind."""
    return name.startswith(".") or name.casefold() in _JUNK


def read_layout(root: Path) -> Layout:
    """Reads `<split>/<class>/…` or `<class>/…`, also below up to four folders that only wrap.

    A folder that is alone beside no other and holds folders itself is a wrapper. Folders within a class folder are
    taken as part of it.

    Raises:
        DatasetClassCollision: two folders of one split have the same normalised class name.
        DatasetInvalid: a class folder's name holds no letter or digit.
    """
    base = _unwrap(root)
    files: list[LabelledFile] = []
    for (split, class_name), folder in _class_folders(base).items():
        files += [LabelledFile(_relative(path, root), split, class_name) for path in _files_below(folder)]
    labelled = {file.path for file in files}
    every = (_relative(path, root) for path in _files_below(root))
    strays = [path for path in every if path not in labelled and path.rpartition("/")[2] != GROUPS_FILE]
    return Layout(tuple(sorted(files, key=lambda file: file.path)), tuple(sorted(strays)))


def _unwrap(root: Path) -> Path:
    base = root
    for _ in range(_MAX_WRAPPERS):
        folders = _folders(base)
        is_wrapper = len(folders) == 1 and not split_of_folder(folders[0].name) and _folders(folders[0])
        if not is_wrapper:
            break
        base = folders[0]
    return base


def _class_folders(base: Path) -> dict[tuple[Split, str], Path]:
    folders = _folders(base)
    parents: list[tuple[Split, Path]] = [(split, f) for f in folders if (split := split_of_folder(f.name))]
    if not parents:
        parents = [("", base)]
    found: dict[tuple[Split, str], list[Path]] = defaultdict(list)
    for split, parent in parents:
        for folder in _folders(parent):
            found[split, normalise_class_name(folder.name)].append(folder)
    for (split, class_name), twins in found.items():
        if len(twins) > 1:
            names = " and ".join(repr(_relative(t, base)) for t in twins)
            where = f"in the {split} split" if split else "in the data set"
            raise DatasetClassCollision(
                f"The folders {names} both name the class {class_name!r} {where}; merge them or rename one."
            )
    return {key: folders[0] for key, folders in found.items()}


def _folders(parent: Path) -> list[Path]:
    return sorted(entry for entry in parent.iterdir() if entry.is_dir() and not is_junk(entry.name))


def _files_below(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if is_junk(entry.name):
            continue
        if entry.is_file():
            yield entry
        elif entry.is_dir() and not entry.is_symlink():
            yield from _files_below(entry)


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
