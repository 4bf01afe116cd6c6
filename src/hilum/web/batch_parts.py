"""Opens what takes and scores batches, as the settings say. Part of the door of `hilum serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hilum.services.state import StatePlaces

if TYPE_CHECKING:
    from hilum.services.batch_desk import BatchesDesk
    from hilum.services.batch_supervision import BatchSupervisor
    from hilum.settings import Settings


def open_queued(settings: Settings) -> BatchesDesk | None:
    """What takes batches; None where no state is kept."""
    from hilum.services.batch_desk import BatchesDesk, open_batches

    if not settings.history:
        return None
    places = StatePlaces(settings.home, settings.database_url, settings.blobs_url).for_serving()
    batches = open_batches(places, is_audited=settings.audit_log, isolation=settings.isolation)
    return BatchesDesk(batches, retention_days=settings.retention_days)


def open_scoring(settings: Settings) -> BatchSupervisor | None:
    """What starts the process that scores, in what others leave of the processor; None leaves that to workers."""
    from hilum.services.batch_desk import open_batch_supervisor

    if not (settings.history and settings.worker):
        return None
    places = StatePlaces(settings.home, settings.database_url, settings.blobs_url).for_serving()
    return open_batch_supervisor(places, settings.state_environment(), steps_back=True)
