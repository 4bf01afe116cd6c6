"""What routes are handed: the services and instruments the app was made with."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from hilum.errors import HistoryOff, RegistryOff
from hilum.services.access import Access
from hilum.services.audit_log import AuditLog
from hilum.services.automation import Automation
from hilum.services.batch import STUDY_LIMITS, BatchDesk
from hilum.services.batch_desk import BatchesDesk
from hilum.services.dataset_desk import DatasetDesk
from hilum.services.deployment import Deployment
from hilum.services.drift_monitor import DriftMonitor
from hilum.services.history import History
from hilum.services.prediction import PredictionService
from hilum.services.retraining import Retraining
from hilum.web.metrics import Instruments
from hilum.web.uploads import UploadReader


@dataclass(frozen=True)
class Context:
    """Everything one app's routes share.

    Attributes:
        service: answers for slices.
        instruments: counters and histograms.
        uploads: reads request bodies.
        history: keeps predictions; None where none are kept.
        access: lets callers in; None where no key is needed.
        audit: keeps who did what; None where that is not kept.
        retraining: takes training runs; None where no labelled images are kept.
        deployment: keeps the model the champion; None where no registry is kept.
        datasets: takes labelled images; None where none are kept.
        drift: compares recent inputs with the training ones; None where no history is kept.
        automation: retrains without being asked; None where no labelled images are kept.
        queued: takes batches that are scored later; None where no state is kept.
        batches: admits batches that are answered at once.
        studies: admits studies, and reports.
        started_at: of the monotonic clock.
    """

    service: PredictionService
    instruments: Instruments
    uploads: UploadReader
    history: History | None = None
    access: Access | None = None
    audit: AuditLog | None = None
    retraining: Retraining | None = None
    deployment: Deployment | None = None
    datasets: DatasetDesk | None = None
    drift: DriftMonitor | None = None
    automation: Automation | None = None
    queued: BatchesDesk | None = None
    batches: BatchDesk = field(default_factory=BatchDesk)
    studies: BatchDesk = field(default_factory=lambda: BatchDesk(STUDY_LIMITS))
    started_at: float = field(default_factory=time.monotonic)


def context_of(request: Request) -> Context:
    """Of the application that answers, for a route in which each dependency counts."""
    context = request.app.state.context
    assert isinstance(context, Context)  # noqa: S101 - narrows starlette's untyped state
    return context


async def _context(request: Request) -> Context:
    return context_of(request)


async def _service(context: Annotated[Context, Depends(_context)]) -> PredictionService:
    return context.service


async def _history(context: Annotated[Context, Depends(_context)]) -> History:
    if context.history is None:
        raise HistoryOff("this server keeps no predictions")
    return context.history


async def _deployment(context: Annotated[Context, Depends(_context)]) -> Deployment:
    if context.deployment is None:
        raise RegistryOff("this server keeps no state, so it knows the one model it serves")
    return context.deployment


async def _datasets(context: Annotated[Context, Depends(_context)]) -> DatasetDesk:
    if context.datasets is None:
        raise HistoryOff("this server keeps no labelled images")
    return context.datasets


ContextDep = Annotated[Context, Depends(_context)]
ServiceDep = Annotated[PredictionService, Depends(_service)]
HistoryDep = Annotated[History, Depends(_history)]
DatasetDep = Annotated[DatasetDesk, Depends(_datasets)]
DeploymentDep = Annotated[Deployment, Depends(_deployment)]
