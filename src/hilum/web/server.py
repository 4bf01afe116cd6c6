"""Runs the application on Granian, as the settings say. The door of `hilum serve`."""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from hilum.errors import BundleInvalid, SettingsRefused
from hilum.logs import configure, log_config
from hilum.services.reference import reference_bundle
from hilum.services.state import StatePlaces, can_let_in_anyone, is_prepared, prepare, prepare_new
from hilum.web.addresses import free_address, is_loopback, room_for_connections
from hilum.web.memory import give_large_blocks_back, leave_out_of_collections
from hilum.web.processes import (
    counting_together,
    does_the_chores,
    end_when_told,
    end_with_parent,
    have_forks_end_when_told,
    keep_counts,
)

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI

    from hilum.services.access import Access
    from hilum.services.audit_log import AuditLog
    from hilum.services.dataset_desk import DatasetDesk
    from hilum.services.datasets import Datasets
    from hilum.services.deployment import Deployment
    from hilum.services.history import History
    from hilum.services.retraining import Retraining
    from hilum.services.run_rules import Policy
    from hilum.services.supervision import Supervisor
    from hilum.services.workers import Workers
    from hilum.settings import Settings
    from hilum.web.tracing import Tracing

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_DRAIN_S = 30
_RESPAWN_S = 1.0
"""A process that serves and dies, of a codec or for want of memory, is followed by another."""


def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT; what was admitted is answered before it returns.

    Raises:
        SettingsRefused: an API key is needed and there is none, or the port is taken.
        BundleInvalid: there is no bundle where the settings say.
        StorageInvalid: the state cannot be used, or PostgreSQL must be migrated first.
    """
    is_closed = keys_are_required(settings)
    address = free_address(settings.host, settings.port)
    directory = settings.model or reference_bundle()
    if not (directory / "manifest.json").is_file():
        raise BundleInvalid(f"there is no model bundle in {str(directory)!r}: HILUM_MODEL must name one's folder")
    if settings.otlp_endpoint is not None and find_spec("opentelemetry") is None:
        raise SettingsRefused(
            "HILUM_OTLP_ENDPOINT needs packages that are not installed: "
            "run `.venv/bin/pip install --editable '.[telemetry]'` in hilum's checkout"
        )
    if settings.history or is_closed:
        prepare_state(state_places(settings), needs_key=is_closed, log_level=settings.log_level)
    server = Granian(
        "hilum.web.server:build_app",
        address=address,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.processes,
        http=HTTPModes.http1,
        websockets=False,
        backlog=1024,
        backpressure=room_for_connections(),
        http1_settings=HTTP1Settings(header_read_timeout=1000 * settings.keep_alive_s, max_buffer_size=64 * 1024),
        workers_kill_timeout=_DRAIN_S,
        respawn_failed_workers=True,
        respawn_interval=_RESPAWN_S,
        log_dictconfig=log_config(settings.log_level),
        log_level=LogLevels.warning,
    )
    have_forks_end_when_told()
    with counting_together(settings.processes):
        server.serve(
            target_loader=partial(build_app, settings.model_copy(update={"model": directory})), wrap_loader=False
        )


def state_places(settings: Settings) -> StatePlaces:
    """Where the settings say that state lies."""
    return StatePlaces(settings.home, settings.database_url, settings.blobs_url)


def prepare_state(places: StatePlaces, *, needs_key: bool = False, log_level: str = "info") -> None:
    """Makes the database ready, in a process of its own, which logs alike: its libraries are not to stay in this one.

    Raises:
        StorageInvalid: it cannot be made ready.
        SettingsRefused: an API key is needed and there is none.
    """
    prepare_new(places)
    if is_prepared(places) and not needs_key:
        return
    method = "fork" if sys.platform == "linux" else "spawn"  # this process has no threads yet, and fork is quicker
    logs_alike: dict[str, Any] = {"initializer": configure, "initargs": (log_level,)}
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method), **logs_alike) as aside:
        aside.submit(prepare, places).result()
        if needs_key and not aside.submit(can_let_in_anyone, places).result():
            raise SettingsRefused(
                "others can reach this server and there is no API key to let them in with; "
                "make one with `hilum keys create --role administer NAME`, listen on 127.0.0.1 only, or set "
                "HILUM_API_KEYS_REQUIRED=false behind something that checks who asks"
            )


def keys_are_required(settings: Settings) -> bool:
    """Whether requests need an API key: unless told, where another machine can reach the server.

    A name in HILUM_ALLOWED_HOSTS says that a proxy or a tunnel brings others to a server on loopback.
    """
    if settings.api_keys_required == "auto":
        return not is_loopback(settings.host) or bool(settings.allowed_hosts)
    return settings.api_keys_required == "true"


def promotion_policy(settings: Settings) -> Policy:
    """Who decides on a promotion: unless told, a person does where another machine can reach the server."""
    return settings.promotion or ("approve" if keys_are_required(settings) else "auto")


def build_app(settings: Settings) -> FastAPI:
    """Makes the application in the worker process; the serving libraries are loaded there only."""
    end_when_told()  # where processes are spawned; what is loaded now takes seconds
    keep_counts()
    import cv2

    from hilum.cores import usable_cores
    from hilum.services.decoding import Decoders
    from hilum.services.drift_monitor import DriftMonitor
    from hilum.services.model import load_model
    from hilum.services.prediction import PredictionService
    from hilum.services.training_desk import open_automation
    from hilum.services.workers import Workers
    from hilum.web.app import create_app
    from hilum.web.batch_parts import open_queued, open_scoring
    from hilum.web.metrics import forget_the_dead

    end_with_parent()
    configure(settings.log_level)
    forget_the_dead()
    cv2.setNumThreads(1)
    give_large_blocks_back()
    directory = settings.model or reference_bundle()
    workers = Workers(
        threads=settings.threads or max(1, usable_cores() // settings.processes),
        max_waiting=settings.max_waiting,
        max_wait_s=settings.max_wait_ms / 1000,
    )
    deployment = _deployment(settings, directory)
    load = partial(load_model, directory) if deployment is None else deployment.first_model
    service = PredictionService(load, workers=workers, decoders=Decoders(settings.isolation))
    if deployment is not None:
        deployment.attach(service)
    names = frozenset(settings.allowed_hosts)
    if is_loopback(settings.host) or names:
        names |= _LOOPBACK_NAMES
    audit = _audit_log(settings)
    history = _history(settings, workers)
    drift = None
    if history is not None:
        drift = DriftMonitor(service, history, threshold=settings.drift_alert, window=settings.drift_window)
    datasets = _datasets(settings)
    retraining, automation = _retraining(settings), None
    if retraining is not None and datasets is not None:
        places, is_audited = _places(settings), settings.audit_log
        automation = open_automation(
            places, retraining, datasets, lambda: drift.largest if drift else None, is_audited=is_audited
        )
    has_chores = does_the_chores()
    app = create_app(
        service,
        history=history,
        drift=drift,
        tracing=_tracing(settings),
        access=_access(settings, audit),
        audit=audit,
        deployment=deployment,
        datasets=_desk(settings, datasets, workers),
        retraining=retraining,
        automation=automation,
        queued=open_queued(settings),
        batch_supervisor=open_scoring(settings) if has_chores else None,
        supervisor=_supervisor(settings) if has_chores else None,
        allowed_hosts=names,
        allowed_origins=frozenset(settings.allowed_origins),
        listens_once_loaded=settings.processes > 1,  # the others answer meanwhile
    )
    leave_out_of_collections()
    return app


def _places(settings: Settings) -> StatePlaces:
    return state_places(settings).for_serving()


def _desk(settings: Settings, datasets: Datasets | None, workers: Workers) -> DatasetDesk | None:
    from hilum.services.dataset_desk import DatasetDesk

    if datasets is None:
        return None
    return DatasetDesk(
        datasets,
        workers=max(1, workers.threads - 1),
        takes_images=settings.keep_images,
        retention_days=settings.retention_days,
    )


def _tracing(settings: Settings) -> Tracing | None:
    if settings.otlp_endpoint is None:
        return None
    from hilum.web.tracing import Tracing

    return Tracing.to(settings.otlp_endpoint)


def _history(settings: Settings, workers: Workers) -> History | None:
    from hilum.services.history import History

    if not settings.history:
        return None
    places = _places(settings)
    return History(
        places.open_database(),
        places.open_blobs(),
        keeps_images=settings.keep_images,
        retention_days=settings.retention_days,
        is_audited=settings.audit_log,
        is_saturated=lambda: workers.is_saturated,
    )


def _datasets(settings: Settings) -> Datasets | None:
    from hilum.services.datasets import open_datasets

    if not settings.history:
        return None
    return open_datasets(_places(settings), is_audited=settings.audit_log)


def _deployment(settings: Settings, directory: Path) -> Deployment | None:
    from hilum.services.deployment import Deployment
    from hilum.services.registry import open_registry

    if not (settings.history or keys_are_required(settings)):
        return None
    registry = open_registry(_places(settings), is_audited=settings.audit_log)
    return Deployment(
        registry, directory, settings.home, follows=settings.follow_champion, shadow_share=settings.shadow_share
    )


def _retraining(settings: Settings) -> Retraining | None:
    from hilum.services.training_desk import open_retraining

    if not settings.history:
        return None
    policy = promotion_policy(settings)
    places = _places(settings)
    return open_retraining(places, policy=policy, is_audited=settings.audit_log, is_worker_wanted=settings.worker)


def _supervisor(settings: Settings) -> Supervisor | None:
    from hilum.services.training_desk import open_supervisor
    from hilum.services.worker_presence import missing_packages

    if not (settings.history and settings.worker) or missing_packages():
        return None
    is_shared = settings.database_url is not None and not settings.database_url.startswith("sqlite")
    places = _places(settings)
    return open_supervisor(places, settings.state_environment(), is_announced=is_shared, steps_back=True)


def _access(settings: Settings, audit: AuditLog | None) -> Access | None:
    from hilum.services.access import Access, AccessRules

    if not keys_are_required(settings):
        return None
    rules = AccessRules(settings.rate_limit, timedelta(hours=settings.session_hours))
    return Access(_places(settings).open_database(), rules, audit=audit)


def _audit_log(settings: Settings) -> AuditLog | None:
    from hilum.services.audit_log import AuditLog

    if not settings.audit_log or not (settings.history or keys_are_required(settings)):
        return None
    return AuditLog(_places(settings).open_database())
