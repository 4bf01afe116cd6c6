"""`hilum retrain`, `hilum worker` and `hilum runs`: the commands about training runs. Thin like the command line."""

from __future__ import annotations

import json
import signal
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from hilum.services.batch_supervision import BatchSupervisor
    from hilum.services.retraining import Retraining, StoredRun
    from hilum.services.run_rules import Mode, Policy
    from hilum.services.supervision import Supervisor
    from hilum.settings import Settings

_LOOK_S = 1.0


@click.command()
@click.option("--mode", type=click.Choice(["head", "full"]), default="head", show_default=True, help="What to learn.")
@click.option("--epochs", type=click.IntRange(1, 500), help="At the most; each mode has its default.")
@click.option("--note", default="", help="Why, in your words.")
@click.option("--policy", type=click.Choice(["auto", "approve", "manual"]), help="Who promotes [HILUM_PROMOTION].")
@click.option("--wait", is_flag=True, help="Stay until the run has ended; exit code 6 where it failed.")
def retrain(mode: Mode, epochs: int | None, note: str, policy: Policy | None, *, wait: bool) -> None:
    """Freeze the labelled images and queue a training run, which a worker or a running server takes.

    \b
    Examples:
      hilum retrain --note "after the new scanner"
      hilum retrain --mode full --policy approve --wait
    """
    from hilum.services.retraining import RunRequest

    with closing(_retraining()) as retraining:
        run = retraining.ask_now(RunRequest(mode, epochs, note[:500], policy, "cli"))
        click.echo(f"{run.id} is queued: {run.n_images} images, from {run.parent_version}")
        if wait:
            _wait(retraining, run)


@click.command()
@click.option("--only", type=click.Choice(["training", "batches"]), help="Do this alone [both].")
def worker(only: Literal["training", "batches"] | None) -> None:
    """Carry out training runs and score batches until stopped, beside servers or on a machine of its own.

    \b
    Examples:
      HILUM_DATABASE_URL=postgresql://… hilum worker
      HILUM_DATABASE_URL=postgresql://… hilum worker --only batches
    """
    from hilum.errors import TrainingFailed
    from hilum.logs import configure
    from hilum.services.batch_desk import open_batch_supervisor
    from hilum.services.state import prepare
    from hilum.services.training_desk import open_supervisor
    from hilum.services.worker_presence import missing_packages

    if only != "batches" and (missing := missing_packages()):
        raise TrainingFailed(
            f"the packages {', '.join(missing)} are not installed: run `make install-train`, or use --only batches"
        )
    settings = _settings()
    configure(settings.log_level)
    places = _places()
    prepare(places)
    environment = settings.state_environment()
    supervisors: list[Supervisor | BatchSupervisor] = []
    if only != "batches":
        supervisors.append(open_supervisor(places, environment))
    if only != "training":
        supervisors.append(open_batch_supervisor(places, environment))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for supervisor in supervisors:
        supervisor.start()
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        click.echo("hilum: the worker ends; what it had begun goes on with the next", err=True)
    finally:
        for supervisor in supervisors:
            supervisor.close()


@click.group()
def runs() -> None:
    """Look at training runs, and cancel them."""


@runs.command("list")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="So many of the newest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")
def runs_list(limit: int, *, as_json: bool) -> None:
    """List training runs, the newest first.

    \b
    Example:
      hilum runs list
    """
    with closing(_retraining()) as retraining:
        rows = [_row(run) for run in retraining.page_now(limit=limit)]
    for row in rows:
        if as_json:
            click.echo(json.dumps(row))
            continue
        made = row["model_version"] or row["stage"] or ""
        click.echo(
            f"{row['id']}  {row['created_at']}  {row['mode']:4}  {row['status']:17}  {made}  {row['note']}".rstrip()
        )


@runs.command("show")
@click.argument("run_id")
def runs_show(run_id: str) -> None:
    """Print one training run as JSON.

    \b
    Example:
      hilum runs show ID
    """
    with closing(_retraining()) as retraining:
        click.echo(json.dumps(_row(retraining.find_now(run_id)), indent=2))


@runs.command("cancel")
@click.argument("run_id")
def runs_cancel(run_id: str) -> None:
    """Ask for a run's end, which comes within 10 seconds.

    \b
    Example:
      hilum runs cancel ID
    """
    with closing(_retraining()) as retraining:
        run = retraining.cancel_now(run_id)
    click.echo(f"{run.id} is {run.status}" + (", and is being cancelled" if run.status == "running" else ""))


@runs.command("decline")
@click.argument("run_id")
def runs_decline(run_id: str) -> None:
    """Decline what a run made, where it awaits approval; `hilum models promote` is the opposite.

    \b
    Example:
      hilum runs decline ID
    """
    with closing(_retraining()) as retraining:
        run = retraining.decline_now(run_id, actor="cli")
    click.echo(f"{run.id} is {run.status}: {run.failure}")


def _wait(retraining: Retraining, run: StoredRun) -> None:
    from hilum.services.run_rules import RunStatus
    from hilum.terminal import TerminalProgress

    with TerminalProgress() as progress:
        while RunStatus(run.status).is_active:
            time.sleep(_LOOK_S)
            run = retraining.find_now(str(run.id))
            progress("run", run.progress, run.stage or run.status)
    click.echo(f"{run.id} is {run.status}" + (f": {run.failure}" if run.failure else ""))
    if run.status in {RunStatus.FAILED, RunStatus.CANCELLED}:
        sys.exit(6)


def _row(run: StoredRun) -> dict[str, Any]:
    names = ("status", "mode", "policy", "note", "stage", "progress", "n_images", "parent_version", "model_version")
    times = ("created_at", "started_at", "ended_at")
    return {
        "id": str(run.id),
        **{name: getattr(run, name) for name in names},
        **{name: moment.isoformat(timespec="seconds") if (moment := getattr(run, name)) else None for name in times},
        "failure": run.failure,
        "report": run.report,
    }


def _settings() -> Settings:
    settings: Settings = click.get_current_context().obj()
    return settings


def _places() -> Any:
    from hilum.services.state import StatePlaces

    settings = _settings()
    return StatePlaces(settings.home, settings.database_url, settings.blobs_url)


def _retraining() -> Retraining:
    from hilum.services.state import prepare
    from hilum.services.training_desk import open_retraining
    from hilum.web.server import promotion_policy

    settings, places = _settings(), _places()
    prepare(places)
    policy = promotion_policy(settings)
    return open_retraining(places, policy=policy, is_audited=settings.audit_log, is_worker_wanted=settings.worker)
