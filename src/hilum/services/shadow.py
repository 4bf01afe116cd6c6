"""Lets the challenger answer a share of live requests too, unseen: how often would it say something else?

Knows the challenger and what the served model said; no HTTP. It works behind the answer, on one thread of the lowest
priority, takes nothing while requests wait, and drops what it cannot keep up with: it never makes anyone wait.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from hilum.errors import HilumError
from hilum.evaluation import share_figure
from hilum.imaging.decode import CtSlice
from hilum.inference.predictor import Prediction
from hilum.services.model import ServedModel

_WAITING = 4
"""Slices kept for it at the most; each is a decoded picture."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ShadowReport:
    """How a challenger's answers compare with those given, on this server since it became the challenger.

    Attributes:
        version: the challenger.
        since: when comparing began.
        compared: answers that both gave.
        disagreed: of them, with another predicted class.
        refused: slices that were answered and the challenger's gate refuses.
        skipped: chosen, and dropped because the server was busy.
        share: disagreed of compared, with its 95 % interval; None before the first.
        trouble: why it cannot be loaded, in words.
    """

    version: str
    since: datetime
    compared: int = 0
    disagreed: int = 0
    refused: int = 0
    skipped: int = 0
    trouble: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON types."""
        figure = share_figure(self.disagreed, self.compared)
        return {
            "version": self.version,
            "since": self.since.isoformat(timespec="seconds"),
            "compared": self.compared,
            "disagreed": self.disagreed,
            "refused": self.refused,
            "skipped": self.skipped,
            "disagreement": {"value": figure.value, "low": figure.low, "high": figure.high, "n": figure.n},
            "trouble": self.trouble,
        }


class Shadow:
    """Compares a challenger with the served model. Offers come from an event loop, the work is done on a thread."""

    def __init__(
        self,
        load: Callable[[str], ServedModel],
        is_idle: Callable[[], bool],
        *,
        share: float = 0.1,
        choose: Callable[[], float] = random.random,
    ) -> None:
        """Takes what it needs; `start` begins to work.

        Args:
            load: the model of a version, verified and warm.
            is_idle: whether no request waits for a core.
            share: of the requests that the challenger answers too.
            choose: a number in [0, 1) for each request; below `share` it is chosen.
        """
        self._load = load
        self._is_idle = is_idle
        self._share = share
        self._choose = choose
        self._wanted: str | None = None
        self._model: ServedModel | None = None
        self._report: ShadowReport | None = None
        self._waiting: deque[tuple[CtSlice, str]] = deque()
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to compare, once there is a challenger."""
        self._thread = threading.Thread(target=self._run, name="hilum-shadow", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops; what waits is dropped."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    @property
    def report(self) -> ShadowReport | None:
        """What was found of the challenger; None where there is none."""
        return self._report

    def follow(self, version: str | None) -> None:
        """Compares another challenger from now on, or none."""
        if version == self._wanted or not self._share:
            return
        with self._changed:
            self._wanted = version
            self._model = None
            self._waiting.clear()
            self._report = ShadowReport(version, datetime.now(UTC)) if version is not None else None
            self._changed.notify()

    def offer(self, prediction: Prediction) -> None:
        """Takes an answer that was given, if it is chosen and there is room; returns at once."""
        if self._model is None or self._choose() >= self._share:
            return
        with self._changed:
            if self._report is None:
                return
            if not self._is_idle() or len(self._waiting) >= _WAITING:
                self._report = replace(self._report, skipped=self._report.skipped + 1)
                return
            self._waiting.append((prediction.ct_slice, prediction.predicted_class))
            self._changed.notify()

    def _run(self) -> None:
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        while True:
            with self._changed:
                while not (self._is_closing or self._has_work()):
                    self._changed.wait()
                if self._is_closing:
                    return
                version = self._wanted
                work = self._waiting.popleft() if self._model is not None else None
            if version is None:
                continue
            if work is None:
                self._load_model(version)
            else:
                self._compare(version, *work)

    def _has_work(self) -> bool:
        is_to_load = self._model is None and self._report is not None and self._report.trouble is None
        return is_to_load or bool(self._waiting)

    def _load_model(self, version: str) -> None:
        trouble = None
        model = None
        try:
            model = self._load(version)
        except HilumError as error:
            trouble = error.detail
        except Exception:
            trouble = "it could not be loaded; the log says why"
            log.exception("loading the challenger failed")
        if trouble is not None:
            log.warning("the challenger cannot be compared", extra={"reason": f"{version}: {trouble}"})
        with self._changed:
            if self._wanted == version and self._report is not None:
                self._model = model
                self._report = replace(self._report, trouble=trouble)

    def _compare(self, version: str, ct_slice: CtSlice, given: str) -> None:
        model = self._model
        if model is None:
            return
        said: str | None = None
        try:
            said = model.predictor.predict_slice(ct_slice).predicted_class
        except HilumError:
            pass
        except Exception:
            log.exception("the challenger failed on a live slice")
        with self._changed:
            report = self._report
            if report is None or report.version != version:
                return
            if said is None:
                self._report = replace(report, refused=report.refused + 1)
            else:
                is_other = said != given
                self._report = replace(report, compared=report.compared + 1, disagreed=report.disagreed + int(is_other))
