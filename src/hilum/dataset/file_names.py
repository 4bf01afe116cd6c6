"""What a file's name may say of its series: numbers, and the text around them. Knows spelling only."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BRACKETS = re.compile(r"\s*\((\d+)\)")
_NUMBER = re.compile(r"\d+")
_COPY = re.compile(r"\s*-\s*copy", re.IGNORECASE)


@dataclass(frozen=True)
class NameField:
    """One part of the names of a class, for every file.

    Attributes:
        title: what it is, in words.
        values: the part as it stands; empty where a name has none.
        keys: the same with the shape of the rest of the name; files whose key is equal may be of one series.
        numbers: the part as a number, where every file has one; files whose numbers follow may be of one series.
        rests: the name without that part.
    """

    title: str
    values: tuple[str, ...]
    keys: tuple[str, ...]
    numbers: tuple[int, ...] | None
    rests: tuple[str, ...]


def name_fields(paths: tuple[str, ...]) -> tuple[NameField, ...]:
    """Every part of these names that could name a series and is neither the same in all nor another in each.

    Args:
        paths: of the files of one class in one split.

    Returns:
        The number in brackets, the numbers outside of brackets by their place, the text before the last number, and
        the folder within the class folder.
    """
    stems = [_COPY.sub("", path.rpartition("/")[2].rpartition(".")[0] or path.rpartition("/")[2]) for path in paths]
    bare = [_BRACKETS.sub("", stem) for stem in stems]
    shapes = [_NUMBER.sub("#", name) for name in bare]
    in_brackets = [match[-1] if (match := _BRACKETS.findall(stem)) else "" for stem in stems]
    fields = [_field("the number in brackets", in_brackets, shapes, bare)]
    numbers = [_NUMBER.findall(name) for name in bare]
    for place in range(max((len(found) for found in numbers), default=0)):
        values = [found[place] if place < len(found) else "" for found in numbers]
        rests = [_without(name, place) + f" ({n})" for name, n in zip(bare, in_brackets, strict=True)]
        fields.append(_field(f"number {place + 1} of the name", values, shapes, rests))
    before = [name[: [m.start() for m in _NUMBER.finditer(name)][-1]] if _NUMBER.search(name) else "" for name in bare]
    fields.append(_field("the text before the last number", before, [""] * len(bare), bare))
    folders = [path.rpartition("/")[0] for path in paths]
    fields.append(_field("the folder", folders, [""] * len(bare), stems))
    return tuple(field for field in fields if _tells(field))


def _field(title: str, values: list[str], shapes: list[str], rests: list[str]) -> NameField:
    keys = tuple(f"{shape} | {value}" for shape, value in zip(shapes, values, strict=True))
    is_numeric = all(value.isdecimal() for value in values)
    return NameField(title, tuple(values), keys, tuple(map(int, values)) if is_numeric else None, tuple(rests))


def _tells(field: NameField) -> bool:
    distinct = len(set(field.keys))
    return len(set(field.values)) > 1 and (distinct < len(field.keys) or field.numbers is not None)


def _without(name: str, place: int) -> str:
    match = list(_NUMBER.finditer(name))
    return name[: match[place].start()] + "#" + name[match[place].end() :] if place < len(match) else name
