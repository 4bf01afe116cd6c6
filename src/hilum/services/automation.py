"""Retrains without being asked, or suggests it: people set when, one server at a time looks. Knows no HTTP."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from hilum.errors import HilumError, RetrainInProgress, StorageInvalid
from hilum.services.audit_log import NewEvent
from hilum.storage import automation
from hilum.storage.audit_log import append
from hilum.storage.database import Database

Action = Literal["off", "suggest", "run"]

ACTOR = "automation"
CHANGED, SUGGESTED = "automation-changed", "retrain-suggested"
"""Events of the audit log; a run that is started has its own."""

LEAST_CONFIRMATIONS = 20
"""Judgements of people since the last run, below which their share of corrections says nothing."""

_EVERY_S = 60.0
_LEASE = timedelta(seconds=180)
_REST = timedelta(hours=1)
"""After a run that could not be started."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AutomationSettings:
    """When to retrain, and what to do then. A trigger that is None is off.

    Attributes:
        after_images: so many labelled images are new since the last run.
        every_hours: so long ago the last run was asked for.
        drift: the largest population stability index of recent inputs reaches this.
        corrections: this share of the predictions that people judged since the last run were wrong.
        action: nothing, say so, or start a run.
    """

    after_images: int | None = None
    every_hours: float | None = None
    drift: float | None = None
    corrections: float | None = None
    action: Action = "off"


@dataclass(frozen=True)
class Signals:
    """What the triggers look at.

    Attributes:
        new_images: counts labelled images since the last run.
        drift: the largest population stability index; None where nothing can be compared.
    """

    new_images: Callable[[], int]
    drift: Callable[[], float | None] = lambda: None


@dataclass(frozen=True)
class Reading:
    """What a trigger says now.

    Attributes:
        name: of its setting.
        value: what was found; None where nothing can be.
        threshold: at which it is due; None where it is off.
    """

    name: str
    value: float | None
    threshold: float | None

    @property
    def is_reached(self) -> bool:
        """Whether the value has reached the threshold."""
        return self.value is not None and self.threshold is not None and self.value >= self.threshold


@dataclass(frozen=True)
class AutomationState:
    """How things stand.

    Attributes:
        readings: of every trigger.
        new_images: without any, nothing is due: a run would learn what the last one did.
        outcome: what the last look that found something due led to: `at`, `triggers`, `did` (`suggested`, `started` or
            `failed`), and `run_id` or `reason`; None where there was none since the settings were changed.
    """

    settings: AutomationSettings
    readings: tuple[Reading, ...]
    new_images: int
    outcome: dict[str, Any] | None

    @property
    def due(self) -> tuple[str, ...]:
        """Names of the triggers that want a run."""
        return tuple(reading.name for reading in self.readings if reading.is_reached) if self.new_images else ()


class Automation:
    """Looks at the triggers every minute, on one server at a time. Safe to use from several threads."""

    def __init__(
        self, database: Database, signals: Signals, start_run: Callable[[str], str], *, is_audited: bool = True
    ) -> None:
        """Takes what it looks at and how a run is started; `start` begins to look.

        Args:
            database: with the newest tables, once it answers.
            signals: what the triggers look at.
            start_run: asks for a run with a note, and returns its id.
            is_audited: changes and suggestions get their event in the audit log.
        """
        self._database = database
        self._signals = signals
        self._start_run = start_run
        self._is_audited = is_audited
        self._name = uuid.uuid4().hex
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to look."""
        self._thread = threading.Thread(target=self._run, name="hilum-automation", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops looking, and closes the connections."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._database.close()

    def state(self, now: datetime | None = None) -> AutomationState:
        """How things stand.

        Raises:
            StorageInvalid: the state cannot be reached.
        """
        now = now or datetime.now(UTC)
        with self._database.reading() as connection:
            kept = automation.find(connection)
            last_run_at = automation.last_run_at(connection)
            judged, corrected = automation.confirmations(connection, last_run_at)
        settings = AutomationSettings(**kept.settings) if kept is not None else AutomationSettings()
        since = last_run_at or (kept.changed_at if kept is not None else None)
        new_images = self._signals.new_images()
        readings = (
            Reading("after_images", new_images, settings.after_images),
            Reading("every_hours", (now - since).total_seconds() / 3600 if since else None, settings.every_hours),
            Reading("drift", self._signals.drift(), settings.drift),
            Reading("corrections", corrected / judged if judged >= LEAST_CONFIRMATIONS else None, settings.corrections),
        )
        return AutomationState(settings, readings, new_images, kept.outcome if kept is not None else None)

    def change(self, settings: AutomationSettings, *, actor: str) -> None:
        """Keeps settings for every server, and looks at once what they ask for.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        with self._database.writing() as connection:
            automation.put_settings(connection, asdict(settings), datetime.now(UTC))
            if self._is_audited:
                append(connection, [NewEvent(CHANGED, actor, settings.action)])
        self._wake.set()

    def look(self, now: datetime | None = None) -> dict[str, Any] | None:
        """Does what is set where something is due, unless another server is to look.

        Returns:
            What came of it; None where nothing was to be done.

        Raises:
            StorageInvalid: the state cannot be reached.
        """
        now = now or datetime.now(UTC)
        with self._database.writing() as connection:
            if not automation.hold(connection, self._name, now=now, until=now + _LEASE):
                return None
        state = self.state(now)
        if state.settings.action == "off":
            return None
        if not state.due:
            if state.outcome is not None and state.outcome["did"] == "suggested":
                self._note(None)
            return None
        if state.settings.action == "suggest":
            return self._suggest(state, now)
        return self._ask_for_run(state, now)

    def _suggest(self, state: AutomationState, now: datetime) -> dict[str, Any] | None:
        before = state.outcome
        if before is not None and before["did"] == "suggested" and before["triggers"] == list(state.due):
            return None
        words = ", ".join(state.due)
        log.info("retraining is suggested", extra={"reason": words})
        return self._note(_outcome(now, state, "suggested"), NewEvent(SUGGESTED, ACTOR, words))

    def _ask_for_run(self, state: AutomationState, now: datetime) -> dict[str, Any] | None:
        before = state.outcome
        if before is not None and before["did"] == "failed" and now - datetime.fromisoformat(before["at"]) < _REST:
            return None
        try:
            run_id = self._start_run(f"automatic: {', '.join(state.due)}")
        except RetrainInProgress:
            return None
        except HilumError as error:
            log.warning("a run that is due cannot be started", extra={"reason": error.detail})
            return self._note(_outcome(now, state, "failed", reason=error.detail))
        return self._note(_outcome(now, state, "started", run_id=run_id))

    def _note(self, outcome: dict[str, Any] | None, event: NewEvent | None = None) -> dict[str, Any] | None:
        with self._database.writing() as connection:
            automation.note_outcome(connection, outcome)
            if event is not None and self._is_audited:
                append(connection, [event])
        return outcome

    def _run(self) -> None:
        while True:
            self._wake.wait(_EVERY_S)
            self._wake.clear()
            if self._stop.is_set():
                return
            try:
                self.look()
            except StorageInvalid as error:
                log.debug("the triggers of retraining cannot be looked at", extra={"reason": error.detail})
            except Exception:
                log.exception("looking at the triggers of retraining failed")


def _outcome(now: datetime, state: AutomationState, did: str, **more: str) -> dict[str, Any]:
    return {"at": now.isoformat(timespec="seconds"), "triggers": list(state.due), "did": did, **more}
