"""Answers that wait are made durable in groups, and nobody waits for a database that does not answer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest

from hilum.errors import DatabaseUnavailable
from hilum.services import history_writer
from hilum.services.history_writer import GroupWriter


class Ledger:
    """Keeps entries; `held` delays a commit, `is_broken` makes it fail."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.held = threading.Event()
        self.held.set()
        self.is_broken = False

    def commit(self, entries: Sequence[int]) -> Sequence[str]:
        """Keeps entries."""
        assert self.held.wait(20)
        if self.is_broken:
            raise DatabaseUnavailable("broken")
        self.groups.append(list(entries))
        return [f"kept {entry}" for entry in entries]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_each_entry_gets_its_own_receipt_and_what_waits_shares_a_commit(ledger: Ledger) -> None:
    writer = GroupWriter(ledger.commit)
    writer.start()

    async def write() -> list[str | None]:
        ledger.held.clear()
        first = asyncio.create_task(writer.write(0))
        await asyncio.sleep(0.1)
        rest = [asyncio.create_task(writer.write(entry)) for entry in range(1, 41)]
        await asyncio.sleep(0.1)
        ledger.held.set()
        return await asyncio.gather(first, *rest)

    assert asyncio.run(write()) == [f"kept {entry}" for entry in range(41)]
    assert ledger.groups == [[0], list(range(1, 41))]
    writer.close()


def test_while_every_core_is_busy_a_commit_waits_for_more(ledger: Ledger) -> None:
    writer = GroupWriter(ledger.commit, is_saturated=lambda: True, gather_s=0.3)
    writer.start()

    async def write() -> list[str | None]:
        first = asyncio.create_task(writer.write(0))
        await asyncio.sleep(0.05)
        assert ledger.groups == []
        return await asyncio.gather(first, *(writer.write(entry) for entry in range(1, 5)))

    assert asyncio.run(write()) == [f"kept {entry}" for entry in range(5)]
    assert ledger.groups == [[0, 1, 2, 3, 4]]
    writer.close()


def test_a_commit_goes_ahead_when_a_core_could_become_idle(ledger: Ledger) -> None:
    line = [1]
    writer = GroupWriter(ledger.commit, is_saturated=lambda: bool(line), gather_s=600)
    writer.start()

    async def write() -> list[str | None]:
        first = asyncio.create_task(writer.write(0))
        await asyncio.sleep(0.1)
        assert ledger.groups == []
        line.clear()
        return await asyncio.gather(first, writer.write(1))

    assert asyncio.run(write()) == ["kept 0", "kept 1"]
    assert ledger.groups == [[0, 1]]
    writer.close()


def test_closing_does_not_wait_for_more(ledger: Ledger) -> None:
    writer = GroupWriter(ledger.commit, is_saturated=lambda: True, gather_s=600)
    writer.start()

    async def write() -> str | None:
        waiting = asyncio.create_task(writer.write(0))
        await asyncio.sleep(0.05)
        writer.close()
        return await waiting

    assert asyncio.run(write()) == "kept 0"


def test_nothing_is_acknowledged_before_it_is_committed(ledger: Ledger) -> None:
    writer = GroupWriter(ledger.commit)
    writer.start()

    async def write() -> bool:
        ledger.held.clear()
        task = asyncio.create_task(writer.write(0))
        await asyncio.sleep(0.2)
        was_done = task.done()
        ledger.held.set()
        await task
        return was_done

    assert asyncio.run(write()) is False
    writer.close()


def test_a_failure_is_told_then_refused_at_once_then_heals(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_writer, "_REST_S", 0.2)
    writer = GroupWriter(ledger.commit)
    writer.start()
    ledger.is_broken = True

    assert asyncio.run(writer.write(0)) is None
    assert writer.trouble == "broken"
    ledger.is_broken = False
    assert asyncio.run(writer.write(1)) is None
    time.sleep(0.3)
    assert asyncio.run(writer.write(2)) == "kept 2"
    assert writer.trouble is None
    assert ledger.groups == [[2]]
    writer.close()


def test_a_database_that_hangs_delays_the_first_answers_only(ledger: Ledger) -> None:
    writer = GroupWriter(ledger.commit, patience_s=0.5)
    writer.start()
    ledger.held.clear()

    assert asyncio.run(writer.write(0)) is None
    time.sleep(0.2)  # its thread may have begun a little after the first was sent
    started_at = time.monotonic()
    assert asyncio.run(writer.write(1)) is None
    assert time.monotonic() - started_at < 0.15
    ledger.held.set()
    time.sleep(0.1)
    assert asyncio.run(writer.write(2)) == "kept 2"
    writer.close()


def test_an_entry_given_up_before_its_turn_is_not_kept(ledger: Ledger) -> None:
    writer = GroupWriter(ledger.commit, patience_s=0.3)
    writer.start()

    async def write() -> None:
        ledger.held.clear()
        await asyncio.gather(writer.write(0), writer.write(1), writer.write(2))
        ledger.held.set()

    asyncio.run(write())
    writer.close()
    assert ledger.groups in ([[0]], [[0, 1]], [[0, 1, 2]])


def test_an_unforeseen_error_does_not_end_the_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_writer, "_REST_S", 0.0)
    outcomes = iter([ZeroDivisionError(), None])

    def commit(entries: Sequence[int]) -> Sequence[str]:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome
        return ["kept" for _ in entries]

    writer = GroupWriter(commit)
    writer.start()
    assert asyncio.run(writer.write(0)) is None
    assert asyncio.run(writer.write(1)) == "kept"
    writer.close()


def test_closing_commits_what_waits_and_takes_no_more(ledger: Ledger) -> None:
    writer = GroupWriter(ledger.commit)

    async def write() -> tuple[str | None, str | None]:
        task = asyncio.create_task(writer.write(0))
        await asyncio.sleep(0)
        writer.start()
        await asyncio.to_thread(writer.close)
        return await task, await writer.write(1)

    assert asyncio.run(write()) == ("kept 0", None)
