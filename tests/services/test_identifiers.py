"""Identifiers are random, of the usual form, and not shared with a process forked later."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing.connection import Connection

import pytest

from hilum.services import identifiers
from hilum.services.identifiers import new_id


def test_identifiers_are_version_4_and_never_the_same() -> None:
    made = [new_id() for _ in range(1000)]  # more than are drawn at once
    assert {one.version for one in made} == {4}
    assert len(set(made)) == len(made)


def _send_some(pipe: Connection) -> None:
    pipe.send([new_id() for _ in range(10)])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems start processes anew")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_does_not_repeat_its_parents() -> None:
    new_id()
    assert len(identifiers._drawn) > 10
    ours, theirs = multiprocessing.get_context("fork").Pipe()
    child = multiprocessing.get_context("fork").Process(target=_send_some, args=(theirs,))
    child.start()
    sent = ours.recv()
    child.join()
    assert not set(sent) & {new_id() for _ in range(300)}
