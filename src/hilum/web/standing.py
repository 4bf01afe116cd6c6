"""How things stand at the moment of a scrape, as Prometheus's gauges. Asks the services; keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hilum.errors import HilumError
from hilum.services.deployment import Deployment
from hilum.services.drift_monitor import DriftMonitor
from hilum.services.prediction import PredictionService


class Standing(Collector):
    """The gauges that are no counts: of the process that is asked, and alike in others that serve here."""

    def __init__(
        self, service: PredictionService, deployment: Deployment | None = None, drift: DriftMonitor | None = None
    ) -> None:
        """Takes what is asked; without a registry or a history there is less to tell."""
        self._service = service
        self._deployment = deployment
        self._drift = drift

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Tells every gauge. What drifts is as was found within the last minute: a scrape waits for no database."""
        is_behind = self._deployment is not None and self._deployment.is_behind
        yield GaugeMetricFamily(
            "champion_served", "0 where the champion cannot be loaded and another model serves.", value=not is_behind
        )
        model = GaugeMetricFamily("model_info", "1 for the model that serves.", labels=("model_version",))
        is_ready = True
        try:
            model.add_metric((self._service.model.version,), 1)
            self._service.check_ready()
        except HilumError:
            is_ready = False
        yield model
        yield GaugeMetricFamily("ready", "1 where predictions can be answered.", value=is_ready)
        yield from self._drifting()

    def _drifting(self) -> Iterator[GaugeMetricFamily]:
        psi = GaugeMetricFamily(
            "drift_psi",
            "Population stability index of recent inputs and predicted classes against training.",
            labels=("statistic",),
        )
        latest = self._drift.latest if self._drift is not None else None
        for one in latest.inputs if latest is not None else ():
            psi.add_metric((one.name,), one.psi)
        if latest is not None and latest.predictions is not None:
            psi.add_metric(("predicted_class",), latest.predictions.psi)
        yield psi
        n_alerts = len(latest.alerts) if latest is not None else 0
        yield GaugeMetricFamily("drift_alerts", "Statistics beyond the threshold.", value=n_alerts)
