"""Of all runs one is active, of all workers one has it; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hilum.storage import training_runs
from hilum.storage.database import Database
from training_run_samples import NOON, stored_run

SOON, LATER = NOON + timedelta(seconds=10), NOON + timedelta(seconds=20)


def test_a_second_active_run_is_not_added(database: Database) -> None:
    with database.writing() as connection:
        assert training_runs.add(connection, stored_run(0))
    with database.writing() as connection:
        assert not training_runs.add(connection, stored_run(1))
    with database.writing() as connection:
        assert training_runs.find_active(connection) == stored_run(0)
        training_runs.request_cancel(connection, stored_run(0).id, SOON)
        assert training_runs.find_active(connection) is None
        assert training_runs.add(connection, stored_run(1))


def test_runs_come_in_pages_the_newest_first(database: Database) -> None:
    with database.writing() as connection:
        for number in range(5):
            training_runs.add(connection, stored_run(number, status="failed", active_slot=None))
    with database.reading() as connection:
        first = training_runs.page(connection, before=None, limit=3)
        rest = training_runs.page(connection, before=(first[-1].created_at, first[-1].id), limit=3)

    assert [run.id.int for run in (*first, *rest)] == [5, 4, 3, 2, 1]


def test_one_worker_has_a_run_until_its_lease_ends(database: Database) -> None:
    run = stored_run()
    with database.writing() as connection:
        training_runs.add(connection, run)
        taken = training_runs.take(connection, "one", now=NOON, until=SOON)
        assert taken is not None
        assert (taken.status, taken.started_at, taken.n_attempts) == ("running", NOON, 1)
        assert training_runs.take(connection, "two", now=NOON, until=SOON) is None
        assert training_runs.note_progress(connection, run.id, "two", {"progress": 0.5}) is None
        assert not training_runs.note_progress(connection, run.id, "two", {"lease_until": LATER})
        assert training_runs.note_progress(connection, run.id, "one", {"lease_until": LATER})
        assert training_runs.take(connection, "two", now=SOON, until=LATER) is None

        resumed = training_runs.take(connection, "two", now=LATER, until=LATER + timedelta(seconds=10))
        assert resumed is not None
        assert (resumed.started_at, resumed.n_attempts) == (NOON, 2)
        assert not training_runs.end(connection, run.id, "one", "failed", {"ended_at": LATER})
        assert training_runs.end(connection, run.id, "two", "refused", {"ended_at": LATER, "report": {"a": 1}})
        assert not training_runs.note_progress(connection, run.id, "two", {"lease_until": LATER})
        ended = training_runs.find(connection, run.id)
    assert ended is not None
    assert (ended.status, ended.report, ended.active_slot, ended.lease_owner) == ("refused", {"a": 1}, None, None)


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "back"])
def test_a_clock_that_is_set_neither_loses_nor_doubles_a_run(database: Database, step: timedelta) -> None:
    """H119. The one that had the run finds that it has it no more, and nothing that it says of it counts."""
    run, stepped = stored_run(), NOON + step
    with database.writing() as connection:
        training_runs.add(connection, run)
        training_runs.take(connection, "one", now=NOON, until=SOON)
        taken = training_runs.take(connection, "two", now=stepped, until=stepped + timedelta(seconds=10))
        assert taken is not None
        assert taken.id == run.id
        assert not training_runs.note_progress(connection, run.id, "one", {"lease_until": LATER})
        assert not training_runs.end(connection, run.id, "one", "promoted", {"ended_at": LATER})
        assert training_runs.take(connection, "one", now=stepped, until=stepped + timedelta(seconds=10)) is None
        assert training_runs.end(connection, run.id, "two", "refused", {"ended_at": stepped})


def test_clocks_that_differ_a_little_take_no_run_away(database: Database) -> None:
    with database.writing() as connection:
        training_runs.add(connection, stored_run())
        training_runs.take(connection, "one", now=NOON, until=NOON + timedelta(seconds=15))
        behind = NOON - timedelta(minutes=2)
        assert training_runs.take(connection, "two", now=behind, until=behind + timedelta(seconds=15)) is None


def test_a_released_run_can_be_taken_at_once(database: Database) -> None:
    with database.writing() as connection:
        training_runs.add(connection, stored_run())
        training_runs.take(connection, "one", now=NOON, until=LATER)
        training_runs.release(connection, stored_run().id, "one")
        assert training_runs.take(connection, "two", now=NOON, until=LATER) is not None


def test_progress_is_kept_as_written(database: Database) -> None:
    values = {"stage": "fit", "progress": 0.25, "seconds_left": 90.0, "epochs": [{"epoch": 1.0, "loss": 0.5}]}
    with database.writing() as connection:
        training_runs.add(connection, stored_run())
        taken = training_runs.take(connection, "one", now=NOON, until=LATER)
        assert taken is not None
        noted = training_runs.note_progress(connection, taken.id, "one", values)
    assert noted == replace(taken, **values)


def test_a_running_run_is_cancelled_by_its_worker_and_the_first_wish_counts(database: Database) -> None:
    run = stored_run()
    with database.writing() as connection:
        training_runs.add(connection, run)
        training_runs.take(connection, "one", now=NOON, until=LATER)
        training_runs.request_cancel(connection, run.id, SOON)
        training_runs.request_cancel(connection, run.id, LATER)
        asked = training_runs.find(connection, run.id)
    assert asked is not None
    assert (asked.status, asked.cancel_requested_at) == ("running", SOON)


def test_workers_are_seen_and_forgotten(database: Database) -> None:
    with database.writing() as connection:
        assert not training_runs.is_any_worker_seen(connection, NOON)
        training_runs.see_worker(connection, "one", NOON, forget_before=NOON)
        training_runs.see_worker(connection, "one", SOON, forget_before=NOON)
        assert training_runs.is_any_worker_seen(connection, SOON)
        assert not training_runs.is_any_worker_seen(connection, LATER)
        training_runs.forget_worker(connection, "one")
        assert not training_runs.is_any_worker_seen(connection, NOON)
