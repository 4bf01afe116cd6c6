"""Which groups turn out to be one. Knows names only."""

from __future__ import annotations

from collections.abc import Collection


class JoinedGroups:
    """Joins groups by name, transitively. A stored name outlives the sender's, and that one a made-up name."""

    def __init__(self, stored: Collection[str], *, given: Collection[str] = ()) -> None:
        """Takes the names that are in use, and those that the sender gave."""
        self._stored = stored
        self._given = given
        self._parent: dict[str, str] = {}

    def join(self, one: str, other: str) -> None:
        """Makes two groups one."""
        first, second = sorted((self.name_of(one), self.name_of(other)), key=self._rank)
        self._parent[second] = first

    def name_of(self, group: str) -> str:
        """What a group is called after all that was joined."""
        while (parent := self._parent.get(group, group)) != group:
            group = parent
        return group

    def renamed_stored(self) -> dict[str, str]:
        """Stored groups that have another name now."""
        return {
            name: self.name_of(name)
            for name in sorted(self._parent)
            if name in self._stored and self.name_of(name) != name
        }

    def _rank(self, name: str) -> tuple[bool, bool, str]:
        return name not in self._stored, name not in self._given, name
