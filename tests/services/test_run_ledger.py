"""What a run's supervisor and its row are told, how often, and what is read of the row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hilum.errors import LeaseLost, RunCancelled
from hilum.services import run_ledger
from hilum.services.run_ledger import RunLedger
from hilum.services.run_progress import RunProgress
from hilum.services.run_rules import RunStatus, decided_status
from hilum.storage import training_runs
from hilum.storage.database import Database
from hilum.storage.schema import upgrade
from hilum.storage.training_runs import StoredRun
from training_run_samples import NOON, stored_run


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with a run that a worker has."""
    database = Database(database_url)
    upgrade(database)
    with database.writing() as connection:
        training_runs.add(connection, stored_run())
        training_runs.take(connection, "me", now=NOON, until=NOON + timedelta(days=9999))
    yield database
    database.close()


@pytest.fixture
def progress(tmp_path: Path) -> RunProgress:
    """What the supervisor reads."""
    return RunProgress(tmp_path)


def _run(database: Database) -> StoredRun:
    with database.reading() as connection:
        found = training_runs.find(connection, stored_run().id)
    assert found is not None
    return found


def test_progress_grows_over_the_stages_and_ends_at_one(
    database: Database, progress: RunProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_ledger, "_EVERY_S", 0.0)
    for mode in ("head", "full"):
        ledger = RunLedger(database, stored_run(mode=mode), "me", progress)
        seen = []
        stages = ("snapshot", "read", "features", "fit", "refit", "pack", "measure", "compare", "register", "decide")
        for stage in stages:
            if stage == "features" and mode == "full":
                continue
            for share in (0.0, 0.5, 1.0):
                ledger.report(stage, share)
                seen.append(progress.told()["progress"])
        assert seen == sorted(seen)
        assert (seen[0], seen[-1]) == (0.0, 1.0)


def test_a_stage_is_told_at_once_and_then_at_most_twice_a_second(database: Database, progress: RunProgress) -> None:
    ledger = RunLedger(database, stored_run(), "me", progress)
    for row in range(1, 4):
        ledger.add_epoch("fit", {"epoch": row, "loss": 1 / row, "val_loss": 1.0, "learning_rate": 0.1})
        ledger.add_epoch("refit", {"epoch": row, "loss": 1 / row})
    ledger.report("refit", 0.5)
    ledger.report("pack", 0.0)
    before = progress.told()
    for share in range(200):
        ledger.report("pack", share / 200)
    assert progress.told() == before
    assert before["stage"] == "pack"
    assert before["epochs"] == [{"epoch": n, "loss": round(1 / n, 6), "val_loss": 1.0} for n in (1, 2, 3)]
    assert _run(database).stage is None, "a process of low priority must not keep the database from its writers"


def test_an_epoch_that_is_done_again_replaces_itself(database: Database, progress: RunProgress) -> None:
    ledger = RunLedger(
        database, stored_run(epochs=[{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": 0.5}]), "me", progress
    )
    ledger.add_epoch("fit", {"epoch": 2, "loss": 0.4})
    ledger.note(model_version="tiny-2")
    assert _run(database).epochs == [{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": 0.4}]


def test_epochs_told_before_a_kill_are_there_after_it(database: Database, progress: RunProgress) -> None:
    killed = RunLedger(database, stored_run(), "me", progress)
    for epoch in (1, 2):
        killed.add_epoch("fit", {"epoch": epoch, "loss": 1 / epoch})
    RunLedger(database, stored_run(epochs=[{"epoch": 1, "loss": 1.0}]), "me", progress).add_epoch(
        "fit", {"epoch": 3, "loss": 0.2}
    )
    assert [row["epoch"] for row in progress.told()["epochs"]] == [1, 2, 3]


def test_a_wish_to_cancel_and_a_lost_lease_end_the_work(database: Database, progress: RunProgress) -> None:
    with pytest.raises(LeaseLost):
        RunLedger(database, stored_run(), "another", progress).report("read", 0.1)
    with database.writing() as connection:
        training_runs.request_cancel(connection, stored_run().id, NOON)
    ledger = RunLedger(database, stored_run(), "me", progress)
    with pytest.raises(RunCancelled):
        ledger.report("read", 0.1)
    ledger.end(RunStatus.CANCELLED)
    assert _run(database).status == "cancelled"
    with pytest.raises(LeaseLost):
        ledger.note(model_version="tiny-2")


def test_a_database_that_is_gone_does_not_end_the_work(database: Database, progress: RunProgress) -> None:
    gone = Database("sqlite:////nowhere/hilum.db")
    RunLedger(gone, stored_run(), "me", progress).report("read", 0.1)
    gone.close()


@pytest.mark.parametrize(
    ("policy", "verdict", "status"),
    [
        ("auto", "promote", RunStatus.PROMOTED),
        ("auto", "refuse", RunStatus.REFUSED),
        ("approve", "promote", RunStatus.AWAITING_APPROVAL),
        ("approve", "refuse", RunStatus.REFUSED),
        ("manual", "promote", RunStatus.AWAITING_APPROVAL),
        ("manual", "refuse", RunStatus.AWAITING_APPROVAL),
    ],
)
def test_the_policy_says_who_decides(policy: str, verdict: str, status: RunStatus) -> None:
    assert decided_status(policy, verdict) is status
