"""Which class and split each file of an archive belongs to, by its name alone. Opens no file.

The rules are those of `hilum.dataset.layout`, but for folders that name one class twice, which are one here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hilum.dataset.class_names import normalise_class_name, split_of_folder
from hilum.dataset.manifest import Split
from hilum.errors import DatasetInvalid

_MAX_WRAPPERS = 4


@dataclass(frozen=True)
class MemberLabel:
    """What a name says: the class, None where no folder names one, and the split, empty where there is none."""

    class_name: str | None
    split: Split = ""


def label_members(names: Sequence[str], known_classes: Collection[str] = ()) -> list[MemberLabel]:
    """Reads `<split>/<class>/…` or `<class>/…`, also below up to four folders that only wrap.

    Args:
        names: relative paths with forward slashes.
        known_classes: a folder that names one of these wraps nothing.

    Returns:
        A label for each name, in their order.
    """
    folders = [name.split("/")[:-1] for name in names]
    depth = _wrappers(folders, known_classes)
    return [_label(parts[depth:]) for parts in folders]


def _wrappers(folders: Sequence[list[str]], known_classes: Collection[str]) -> int:
    """How many folders from the top are alone beside no other and hold folders themselves."""
    for depth in range(_MAX_WRAPPERS):
        below = [parts for parts in folders if len(parts) > depth]
        here = {parts[depth] for parts in below}
        if len(here) != 1 or not any(len(parts) > depth + 1 for parts in below):
            return depth
        folder = here.pop()
        if split_of_folder(folder) or _normalised(folder) in known_classes:
            return depth
    return _MAX_WRAPPERS


def _label(parts: Sequence[str]) -> MemberLabel:
    if not parts:
        return MemberLabel(None)
    split = split_of_folder(parts[0])
    if split is None:
        return MemberLabel(_normalised(parts[0]))
    return MemberLabel(_normalised(parts[1]) if len(parts) > 1 else None, split)


def _normalised(folder: str) -> str | None:
    try:
        return normalise_class_name(folder)
    except DatasetInvalid:
        return None
