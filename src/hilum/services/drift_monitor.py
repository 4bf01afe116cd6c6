"""Looks for drift every minute, and when it is asked. Knows the history and the served model; no HTTP."""

from __future__ import annotations

import logging
import threading

from hilum.errors import HilumError, StorageInvalid
from hilum.inference.input_reference import InputReference
from hilum.services.drift import DriftReport, compare
from hilum.services.history import History
from hilum.services.prediction import PredictionService

_EVERY_S = 60.0

log = logging.getLogger(__name__)


class DriftMonitor:
    """Compares the newest predictions with the served model's reference.

    Attributes:
        latest: what was found last; None before the first look.
    """

    def __init__(
        self, service: PredictionService, history: History, *, threshold: float = 0.25, window: int = 500
    ) -> None:
        """Takes what is compared; `start` begins to look.

        Args:
            service: whose model serves.
            history: which knows the recent inputs.
            threshold: of the population stability index, above which it alerts.
            window: so many predictions are looked at, the newest.
        """
        self.latest: DriftReport | None = None
        self.window = window
        self._service, self._history, self._threshold = service, history, threshold
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to look every minute."""
        self._thread = threading.Thread(target=self._run, name="hilum-drift", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops looking."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def largest(self) -> float | None:
        """The largest population stability index that was found last; None where nothing could be compared."""
        report = self.latest
        if report is None:
            return None
        found = [one.psi for one in report.inputs] + ([report.predictions.psi] if report.predictions else [])
        return max(found, default=None)

    async def report(self) -> DriftReport:
        """What the newest predictions say now.

        Raises:
            HistoryUnavailable: the history does not answer.
            NotReady, BundleInvalid: there is no model to compare with.
        """
        reference, version = self._served()
        recent = await self._history.recent_inputs(self.window)
        return self._keep(compare(reference, recent, model_version=version, threshold=self._threshold))

    def _served(self) -> tuple[InputReference | None, str]:
        model = self._service.model
        return model.input_reference, model.version

    def _keep(self, report: DriftReport) -> DriftReport:
        before, self.latest = self.latest, report
        if report.alerts and (before is None or before.alerts != report.alerts):
            log.warning("recent inputs differ from the training ones", extra={"reason": ", ".join(report.alerts)})
        return report

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            try:
                reference, version = self._served()
                recent = self._history.recent_inputs_now(self.window)
                self._keep(compare(reference, recent, model_version=version, threshold=self._threshold))
            except StorageInvalid:
                continue  # the history says so itself
            except HilumError as error:
                log.debug("drift is not looked for", extra={"reason": error.detail})
            except Exception:
                log.exception("looking for drift failed")
