"""Each trigger asks for a run, or suggests it, once; and only one server looks. On SQLite and PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hilum.errors import RetrainInProgress, TrainingDataInsufficient
from hilum.services.audit_log import export
from hilum.services.automation import Automation, AutomationSettings, Signals
from hilum.services.run_rules import RunStatus
from hilum.storage import feedback, predictions, training_runs
from hilum.storage.database import Database
from hilum.storage.feedback import Feedback
from hilum.storage.predictions import StoredPrediction
from hilum.storage.schema import upgrade
from hilum.storage.training_runs import StoredRun

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@dataclass
class World:
    """What the triggers look at, and the runs that were started."""

    database: Database
    new_images: int = 0
    drift: float | None = None
    refusal: Exception | None = None
    notes: list[str] = field(default_factory=list)

    def automation(self) -> Automation:
        """A server's automation."""
        return Automation(Database(self.database.url.render_as_string(hide_password=False)), self.signals, self.start)

    @property
    def signals(self) -> Signals:
        """What the triggers look at."""
        return Signals(new_images=lambda: self.new_images, drift=lambda: self.drift)

    def start(self, note: str) -> str:
        """Queues a run, as the retraining service does, or refuses."""
        if self.refusal is not None:
            raise self.refusal
        run_id = self.add_run(datetime.now(UTC), RunStatus.PROMOTED)
        self.notes.append(note)
        self.new_images = 0
        return run_id

    def add_run(self, at: datetime, status: RunStatus) -> str:
        """A run that was asked for at some time."""
        run = StoredRun(
            id=uuid.uuid4(), status=RunStatus.QUEUED, mode="head", policy="auto", note="", actor="test", n_epochs=None,
            snapshot_digest="d" * 64, n_images=20, parent_version=None, created_at=at,
        )  # fmt: skip
        with self.database.writing() as connection:
            assert training_runs.add(connection, run)
            training_runs.end(connection, run.id, None, status, {})
        return str(run.id)

    def judge(self, n: int, n_corrected: int, at: datetime) -> None:
        """People judge so many predictions, and correct some of them."""
        with self.database.writing() as connection:
            predictions.add_provenance(connection, "p" * 64, {})
            for index in range(n):
                answer: dict[str, Any] = {"predicted_class": "normal"}
                stored = StoredPrediction(
                    id=uuid.uuid4(), created_at=at, image_sha256="a" * 64, is_image_kept=False,
                    predicted_class="normal", decision="confident", model_version="tiny", latency_ms=1.0,
                    answer=answer, provenance_digest="p" * 64,
                )  # fmt: skip
                predictions.add(connection, [stored])
                confirmed = "adenocarcinoma" if index < n_corrected else "normal"
                feedback.put(connection, Feedback(stored.id, confirmed, is_new_label=False, given_at=at))


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """An empty database of each kind in turn."""
    database = Database(database_url)
    upgrade(database)
    yield World(database)
    database.close()


@pytest.fixture
def automation(world: World) -> Iterator[Automation]:
    """One server's."""
    made = world.automation()
    yield made
    made.close()


def set_to(automation: Automation, **settings: Any) -> None:
    """Sets triggers and action."""
    automation.change(AutomationSettings(**settings), actor="key-1")


def test_nothing_is_automatic_unless_set(world: World, automation: Automation) -> None:
    world.new_images = 1000
    assert automation.look() is None
    assert automation.state().settings == AutomationSettings()
    assert world.notes == []


def test_so_many_new_images_start_one_run(world: World, automation: Automation) -> None:
    set_to(automation, after_images=50, action="run")
    world.new_images = 49
    assert automation.look() is None
    world.new_images = 50
    outcome = automation.look()
    assert outcome is not None
    assert (outcome["did"], outcome["triggers"]) == ("started", ["after_images"])
    assert world.notes == ["automatic: after_images"]
    assert automation.look() is None
    assert automation.state().outcome == outcome


def test_the_schedule_counts_from_the_last_run(world: World, automation: Automation) -> None:
    set_to(automation, every_hours=24, action="run")
    now = datetime.now(UTC)
    world.new_images = 1
    assert automation.look(now + timedelta(hours=23)) is None
    world.add_run(now - timedelta(hours=2), RunStatus.REFUSED)
    assert automation.look(now + timedelta(hours=21)) is None
    outcome = automation.look(now + timedelta(hours=22, minutes=1))
    assert outcome is not None
    assert outcome["triggers"] == ["every_hours"]


def test_drift_starts_a_run(world: World, automation: Automation) -> None:
    set_to(automation, drift=0.25, action="run")
    world.new_images = 3
    for drift, is_due in ((None, False), (0.24, False), (0.25, True)):
        world.drift = drift
        assert (automation.look() is not None) == is_due
    assert world.notes == ["automatic: drift"]


def test_a_share_of_corrections_since_the_last_run_starts_a_run(world: World, automation: Automation) -> None:
    set_to(automation, corrections=0.2, action="run")
    world.new_images = 5
    world.judge(50, 50, NOON - timedelta(days=2))
    world.add_run(NOON - timedelta(days=1), RunStatus.PROMOTED)
    world.judge(19, 19, NOON)
    (reading,) = (one for one in automation.state().readings if one.name == "corrections")
    assert reading.value is None, "too few were judged since the last run"
    world.judge(81, 0, NOON)
    assert automation.look() is None
    world.judge(2, 2, NOON)
    outcome = automation.look()
    assert outcome is not None
    assert outcome["triggers"] == ["corrections"]
    (reading,) = (one for one in automation.state().readings if one.name == "corrections")
    assert reading.value is None


def test_without_new_images_nothing_is_due(world: World, automation: Automation) -> None:
    set_to(automation, drift=0.1, every_hours=1, action="run")
    world.drift = 9.0
    assert automation.look(datetime.now(UTC) + timedelta(days=9)) is None
    world.new_images = 1
    outcome = automation.look(datetime.now(UTC) + timedelta(days=9))
    assert outcome is not None
    assert outcome["triggers"] == ["every_hours", "drift"]


def test_a_suggestion_is_made_once_and_withdrawn(world: World, automation: Automation) -> None:
    set_to(automation, after_images=10, drift=1.0, action="suggest")
    world.new_images = 10
    first = automation.look()
    assert first is not None
    assert first["did"] == "suggested"
    assert automation.look() is None
    world.drift = 2.0
    second = automation.look()
    assert second is not None
    assert second["triggers"] == ["after_images", "drift"]
    world.new_images = 0
    automation.look()
    assert automation.state().outcome is None
    assert world.notes == []
    events = [(event.kind, event.actor, event.subject) for event in export(world.database)]
    assert events == [
        ("automation-changed", "key-1", "suggest"), ("retrain-suggested", "automation", "after_images"),
        ("retrain-suggested", "automation", "after_images, drift"),
    ]  # fmt: skip


def test_a_run_that_cannot_be_started_rests_for_an_hour(world: World, automation: Automation) -> None:
    set_to(automation, after_images=1, action="run")
    world.new_images = 1
    world.refusal = TrainingDataInsufficient("too few images")
    now = datetime.now(UTC)
    outcome = automation.look(now)
    assert outcome is not None
    assert (outcome["did"], outcome["reason"]) == ("failed", "too few images")
    world.refusal = None
    assert automation.look(now + timedelta(minutes=59)) is None
    assert automation.look(now + timedelta(minutes=61)) is not None


def test_a_run_under_way_is_waited_for(world: World, automation: Automation) -> None:
    set_to(automation, after_images=1, action="run")
    world.new_images = 1
    world.refusal = RetrainInProgress("another is under way", "run-1")
    assert automation.look() is None
    assert automation.state().outcome is None
    world.refusal = None
    assert automation.look() is not None


def test_one_server_looks_and_another_takes_over_when_it_is_gone(world: World) -> None:
    one, two = world.automation(), world.automation()
    set_to(one, after_images=1, action="suggest")
    world.new_images = 1
    now = datetime.now(UTC)
    assert one.look(now) is not None
    set_to(two, after_images=1, action="suggest")
    assert two.look(now + timedelta(seconds=170)) is None
    assert two.look(now + timedelta(seconds=181)) is not None
    for made in (one, two):
        made.close()


def test_a_clock_set_back_does_not_stop_the_looking(world: World) -> None:
    one, two = world.automation(), world.automation()
    set_to(one, after_images=1, action="suggest")
    now = datetime.now(UTC)
    assert one.look(now + timedelta(days=400)) is None, "nothing is due"
    one.close()
    world.new_images = 1
    assert two.look(now) is not None
    two.close()


def test_many_servers_at_once_start_one_run(world: World) -> None:
    servers = [world.automation() for _ in range(4)]
    set_to(servers[0], after_images=1, action="run")
    world.new_images = 1
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda server: server.look(), servers))
    assert sum(outcome is not None for outcome in outcomes) == 1
    assert len(world.notes) == 1
    for server in servers:
        server.close()
