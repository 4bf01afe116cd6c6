"""Deadlines end what takes too long, as `asyncio.timeout` does, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from hilum.services.deadlines import within


def test_what_takes_too_long_is_ended() -> None:
    async def wait() -> None:
        with within(0.05):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(wait(), 5))


def test_what_is_done_in_time_is_left_alone() -> None:
    async def wait() -> str:
        with within(0.05):
            await asyncio.sleep(0)
        await asyncio.sleep(0.3)  # the deadline has passed, and nobody waits for it
        return "whole"

    assert asyncio.run(wait()) == "whole"


def test_each_task_has_its_own_deadline() -> None:
    async def wait(seconds: float) -> str:
        try:
            with within(seconds):
                await asyncio.sleep(0.5)
        except TimeoutError:
            return "ended"
        return "done"

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(wait(seconds) for seconds in (0.05, 30, 0.1, 30)))

    assert asyncio.run(all_of_them()) == ["ended", "done", "ended", "done"]


def test_a_deadline_can_be_put_off() -> None:
    async def wait() -> str:
        with within(0.05) as deadline:
            deadline.ends_at += 30
            await asyncio.sleep(0.4)
        return "whole"

    assert asyncio.run(wait()) == "whole"


def test_an_inner_deadline_ends_the_inner_block_alone() -> None:
    async def wait() -> str:
        with within(30):
            with pytest.raises(TimeoutError), within(0.05):
                await asyncio.Event().wait()
            await asyncio.sleep(0)
            return "outer goes on"

    assert asyncio.run(wait()) == "outer goes on"


def test_who_cancels_a_task_is_not_told_of_a_timeout() -> None:
    async def wait() -> None:
        with within(30):
            await asyncio.Event().wait()

    async def cancel() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())


def test_an_error_of_the_block_stays_what_it_is() -> None:
    async def fail() -> None:
        with within(30):
            raise ValueError("of the block")

    with pytest.raises(ValueError, match="of the block"):
        asyncio.run(fail())


def test_another_event_loop_of_the_same_thread_has_its_own() -> None:
    async def wait() -> None:
        with within(0.05):
            await asyncio.Event().wait()

    for _ in range(2):
        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(wait(), 5))
