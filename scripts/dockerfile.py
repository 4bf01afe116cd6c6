"""A Dockerfile as stages and instructions. Knows the syntax that ours uses; builds nothing."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Instruction:
    """One instruction, its continued lines joined.

    Attributes:
        name: in capitals, such as `RUN`.
        value: what follows, as one line.
    """

    name: str
    value: str

    @property
    def words(self) -> list[str]:
        """The value's words, options such as `--from=build` included."""
        return shlex.split(self.value)


@dataclass
class Stage:
    """One `FROM` and what follows it.

    Attributes:
        name: after `AS`; empty where there is none.
        base: an image or an earlier stage, with the arguments' defaults filled in.
    """

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def last(self, name: str) -> str:
        """The value of the last instruction of that name; empty where there is none."""
        return next((one.value for one in reversed(self.instructions) if one.name == name), "")


def read_stages(text: str) -> dict[str, Stage]:
    """The stages of a Dockerfile in order, by name.

    Raises:
        ValueError: an instruction stands before the first `FROM`, or a stage has no name.
    """
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for one in _instructions(text):
        if one.name == "ARG" and stage is None:
            name, _, default = one.value.partition("=")
            arguments[name] = default
        elif one.name == "FROM":
            match = re.fullmatch(r"(\S+) AS (\S+)", one.value)
            if match is None:
                raise ValueError(f"FROM {one.value}: a stage needs a name")
            base = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], match[1])
            stage = stages[match[2]] = Stage(match[2], base)
        elif stage is None:
            raise ValueError(f"{one.name} stands before the first FROM")
        else:
            stage.instructions.append(one)
    return stages


def lineage(stages: dict[str, Stage], name: str) -> list[Stage]:
    """A stage and those it is made from, the first one first."""
    stage = stages[name]
    return [*(lineage(stages, stage.base) if stage.base in stages else []), stage]


def environment(stages: dict[str, Stage], name: str) -> dict[str, str]:
    """The variables that `ENV` sets in a stage and in those it is made from, `$PATH` as it is before."""
    found = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    for stage in lineage(stages, name):
        for one in stage.instructions:
            if one.name == "ENV":
                pairs = (word.partition("=") for word in one.words)
                found |= {key: value.replace("$PATH", found["PATH"]) for key, _, value in pairs}
    return found


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    for line in joined.splitlines():
        name, _, value = line.partition(" ")
        yield Instruction(name.upper(), value.strip())
