"""Puts together what takes training runs and what carries them out, from where state lies. Knows no HTTP."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial

from hilum.services.automation import ACTOR, Automation, Signals
from hilum.services.bundle_store import BUNDLES
from hilum.services.datasets import Datasets
from hilum.services.registry import Registry
from hilum.services.retraining import Retraining, RunRequest
from hilum.services.run_rules import Champion, Policy
from hilum.services.state import LABELLED, StatePlaces
from hilum.services.supervision import Supervisor
from hilum.services.worker_presence import find_trouble

WORKER = (sys.executable, "-m", "hilum.worker")


def open_retraining(places: StatePlaces, *, policy: Policy, is_audited: bool, is_worker_wanted: bool) -> Retraining:
    """The service that takes runs; no connection is opened yet.

    Args:
        places: where state lies.
        policy: of runs that name none.
        is_audited: what changes gets its event in the audit log.
        is_worker_wanted: whether this process carries runs out itself, if it has the packages.

    Raises:
        StorageInvalid: an address is of no known kind, or the folder for bytes cannot be made.
    """
    database = places.open_database()
    return Retraining(
        database,
        Datasets(database, places.open_blobs(LABELLED), slices=places.open_blobs(), is_audited=is_audited),
        find_champion=partial(_champion, Registry(database, places.open_blobs(BUNDLES), places.home)),
        find_trouble=partial(find_trouble, database, is_worker_wanted=is_worker_wanted),
        policy=policy,
        is_audited=is_audited,
    )


def open_automation(
    places: StatePlaces,
    retraining: Retraining,
    datasets: Datasets,
    find_drift: Callable[[], float | None],
    *,
    is_audited: bool,
) -> Automation:
    """What asks for runs by itself; no connection is opened yet.

    Args:
        places: where state lies.
        retraining: takes the runs.
        datasets: counts new images.
        find_drift: the largest population stability index; None where nothing can be compared.
        is_audited: changes and suggestions get their event in the audit log.
    """

    def start_run(note: str) -> str:
        return str(retraining.ask_now(RunRequest(note=note, actor=ACTOR)).id)

    signals = Signals(datasets.images_since_snapshot, find_drift)
    return Automation(places.open_database(), signals, start_run, is_audited=is_audited)


def open_supervisor(
    places: StatePlaces, environment: Mapping[str, str], *, is_announced: bool = True, steps_back: bool = False
) -> Supervisor:
    """Carries runs out in processes of their own.

    Args:
        places: where state lies.
        environment: of those processes, besides this one's.
        is_announced: other servers are told that runs are taken here.
        steps_back: they get what this process and others leave of the processor.

    Raises:
        DatabaseUnsupported: the database's address is of no known kind.
    """
    command = (*WORKER, "--step-back") if steps_back else WORKER
    database = places.open_database()
    return Supervisor(database, command, places.runs, environment=environment, is_announced=is_announced)


def _champion(registry: Registry) -> Champion | None:
    model = registry.champion()
    return None if model is None else Champion(model.version, tuple(model.manifest["class_names"]))
