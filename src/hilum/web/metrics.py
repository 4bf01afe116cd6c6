"""Prometheus instruments with bounded labels. Knows the registry, not where its numbers come from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from hilum.web.processes import SHARED_COUNTS

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)


class Instruments:
    """One process's instruments, in a registry of their own; with several processes, what all of them counted.

    Labels take few values: route templates, status codes, problem codes, the model's classes; nothing a client names.
    """

    def __init__(self, trace_stage: Callable[[str, float], None] | None = None) -> None:
        """Registers every instrument.

        Args:
            trace_stage: is told of each stage and its seconds too.
        """
        self._trace_stage = trace_stage
        self.registry = CollectorRegistry()
        if SHARED_COUNTS not in os.environ:
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
        self.waiting = Gauge(
            "predictions_under_way",
            "Predictions computing or waiting.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.shadow = Gauge(
            "shadow_answers",
            "Live slices that the challenger answered too, by whether it said the same; 0 without a challenger.",
            ("outcome",),
            registry=self.registry,
            multiprocess_mode="livesum",
        )

    def with_others(self, *others: Collector) -> CollectorRegistry:
        """What is told at a scrape: what was counted here, or by all processes that serve here, and `others`."""
        told = CollectorRegistry()
        if SHARED_COUNTS in os.environ:
            MultiProcessCollector(told)  # type: ignore[no-untyped-call]
        else:
            told.register(self.registry)
        for other in others:
            told.register(other)
        return told

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Notes how long a stage of a prediction took that has just ended."""
        self.stage_seconds.labels(stage).observe(seconds)
        if self._trace_stage is not None:
            self._trace_stage(stage, seconds)


def forget_the_dead() -> None:
    """Takes what processes had under way that have died out of what all have. What they counted stays counted."""
    folder = os.environ.get(SHARED_COUNTS)
    for file in Path(folder).glob("gauge_live*_*.db") if folder else ():
        try:
            os.kill(int(file.stem.rpartition("_")[2]), 0)
        except (ProcessLookupError, PermissionError):  # nobody's number, or by now that of another user's process
            file.unlink(missing_ok=True)  # two that start at once both look
