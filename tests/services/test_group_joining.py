"""Groups that turn out to be one have one name, whatever order that was found in: a stored one before a sent one."""

from __future__ import annotations

from itertools import permutations

import pytest

from hilum.services.group_joining import JoinedGroups

CHAIN = (("made-up", "sent"), ("sent", "stored"), ("stored", "later stored"), ("alone", "alone"))


@pytest.mark.parametrize("pairs", list(permutations(CHAIN)))
def test_what_is_joined_step_by_step_is_one_group(pairs: tuple[tuple[str, str], ...]) -> None:
    joined = JoinedGroups({"stored", "later stored", "alone"}, given={"sent"})
    for one, other in pairs:
        joined.join(one, other)
        joined.join(other, one)
    names = {name: joined.name_of(name) for name in ("made-up", "sent", "stored", "later stored", "alone", "new")}
    assert names == dict.fromkeys(("made-up", "sent", "stored", "later stored"), "later stored") | {
        "alone": "alone",
        "new": "new",
    }
    assert joined.renamed_stored() == {"stored": "later stored"}


def test_a_senders_name_outlives_a_made_up_one_and_a_stored_one_both() -> None:
    joined = JoinedGroups({"z stored"}, given={"y sent"})
    joined.join("a made up", "y sent")
    assert joined.name_of("a made up") == "y sent"
    assert joined.renamed_stored() == {}
    joined.join("y sent", "z stored")
    assert {joined.name_of(name) for name in ("a made up", "y sent", "z stored")} == {"z stored"}
    assert joined.renamed_stored() == {}


def test_nothing_joined_is_nothing_renamed() -> None:
    joined = JoinedGroups({"a", "b"})
    assert [joined.name_of(name) for name in "abc"] == ["a", "b", "c"]
    assert joined.renamed_stored() == {}
