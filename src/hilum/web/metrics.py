"""Prometheus instruments with bounded labels. Knows the registry, not where its numbers come from."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)


class Instruments:
    """One process's instruments, in a registry of their own.

    Labels take few values: route templates, status codes, problem codes, the model's classes; nothing a client names.
    """

    def __init__(self, trace_stage: Callable[[str, float], None] | None = None) -> None:
        """Registers every instrument.

        Args:
            trace_stage: is told of each stage and its seconds too.
        """
        self._trace_stage = trace_stage
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "http_requests_total", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.request_seconds = Histogram(
            "http_request_seconds", "From request to answer.", ("route",), registry=self.registry, buckets=_SECONDS
        )
        self.predictions = Counter(
            "predictions_total",
            "Slices classified.",
            ("predicted_class", "decision", "model_version"),
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "prediction_stage_seconds",
            "Spent on one prediction, by stage: upload, wait, compute, store.",
            ("stage",),
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.rejected = Counter(
            "input_rejected_total", "Inputs refused, by problem code.", ("code",), registry=self.registry
        )
        self.waiting = Gauge("predictions_under_way", "Predictions computing or waiting.", registry=self.registry)
        self.serves_champion = Gauge(
            "champion_served", "0 where the champion cannot be loaded and another model serves.", registry=self.registry
        )
        self.shadow = Gauge(
            "shadow_answers",
            "Live slices that the challenger answered too, by whether it said the same; 0 without a challenger.",
            ("outcome",),
            registry=self.registry,
        )
        self.model = Gauge("model_info", "1 for the model that serves.", ("model_version",), registry=self.registry)
        self.drift_psi = Gauge(
            "drift_psi",
            "Population stability index of recent inputs and predicted classes against training.",
            ("statistic",),
            registry=self.registry,
        )
        self.drift_alerts = Gauge("drift_alerts", "Statistics beyond the threshold.", registry=self.registry)
        self.is_ready = Gauge("ready", "1 where predictions can be answered.", registry=self.registry)

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Notes how long a stage of a prediction took that has just ended."""
        self.stage_seconds.labels(stage).observe(seconds)
        if self._trace_stage is not None:
            self._trace_stage(stage, seconds)
