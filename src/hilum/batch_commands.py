"""`hilum batch` and `hilum batches`: the commands about scoring many images. Thin like the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from hilum.services.batches import Batches, StoredBatch
    from hilum.services.state import StatePlaces
    from hilum.settings import Settings

_FORMATS = click.Choice(["csv", "jsonl"])


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="File for the results [standard output].")
@click.option("--format", "kind", type=_FORMATS, help="Of the results [by the ending of --out, or jsonl].")
@click.option("--model", help="Bundle or registered version to score with [the champion].")
@click.option("--note", default="", help="Why, in your words.")
@click.option("--workers", type=click.IntRange(0, 64), default=1, show_default=True, help="0 leaves it to others.")
@click.option("--no-wait", is_flag=True, help="Queue the batch, print its id and end.")
def batch(
    paths: tuple[Path, ...],
    *,
    out: Path | None,
    kind: Literal["csv", "jsonl"] | None,
    model: str | None,
    note: str,
    workers: int,
    no_wait: bool,
) -> None:
    """Score many images: PATHS are files, folders, zips, and .txt lists of paths or of sha256 of images kept.

    An image that cannot be scored gets a problem in its line. Killed, the batch goes on with the next worker, and
    `hilum batches results ID` writes what came of it.

    \b
    Examples:
      hilum batch path/to/folder --out results.csv
      hilum batch archive.zip --workers 0 --no-wait
    """
    from hilum.services.batch_desk import open_batches
    from hilum.services.batch_rules import BatchStatus
    from hilum.services.batch_sources import local_images, locate
    from hilum.terminal import TerminalProgress

    if out is not None and not out.parent.is_dir():
        raise click.UsageError(f"there is no folder {str(out.parent)!r} to write {out.name!r} into")
    settings, places = _settings(), _ready_places()
    version = _version(settings, places, model)
    with closing(open_batches(places, is_audited=settings.audit_log)) as batches, TemporaryFile("w+") as names:
        images = local_images(locate(paths), lambda name: names.write(json.dumps(name) + "\n"))
        with TerminalProgress() as progress:
            queued = batches.add(
                images,
                note=note[:500],
                model_version=version,
                actor="cli",
                progress=lambda count: progress("take", 0.0, f"{count} images"),
            )
        if no_wait:
            click.echo(str(queued.id))
            return
        click.echo(f"{queued.id} is queued; `hilum batches results {queued.id}` writes what comes of it", err=True)
        ended = _score(batches, queued, settings, places, workers)
        names.seek(0)
        _write(batches, ended, out, kind, (json.loads(line) for line in names))
    _tell(ended)
    if ended.status != BatchStatus.DONE:
        sys.exit(5 if ended.status == BatchStatus.FAILED else 1)


@click.group(name="batches")
def batches_group() -> None:
    """Look at batches, fetch their results, and cancel them."""


@batches_group.command("list")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="So many of the newest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")
def batches_list(limit: int, *, as_json: bool) -> None:
    """List batches, the newest first.

    \b
    Example:
      hilum batches list
    """
    with _batches() as batches:
        rows = [_row(one) for one in batches.page(limit=limit)]
    for row in rows:
        scored = f"{row['answered'] + row['refused']}/{row['images']}"
        told = f"{row['id']}  {row['created_at']}  {row['status']:9}  {scored:>15}  {row['model_version']}"
        click.echo(json.dumps(row) if as_json else f"{told}  {row['note']}".rstrip())


@batches_group.command("show")
@click.argument("batch_id")
def batches_show(batch_id: str) -> None:
    """Print one batch as JSON.

    \b
    Example:
      hilum batches show ID
    """
    with _batches() as batches:
        click.echo(json.dumps(_row(batches.find(batch_id)), indent=2))


@batches_group.command("results")
@click.argument("batch_id")
@click.option("--out", type=click.Path(path_type=Path), help="File for the results [standard output].")
@click.option("--format", "kind", type=_FORMATS, help="Of the results [by the ending of --out, or jsonl].")
def batches_results(batch_id: str, *, out: Path | None, kind: Literal["csv", "jsonl"] | None) -> None:
    """Write the results so far, in the order of the images. File names are not kept: each has its file's sha256.

    \b
    Example:
      hilum batches results ID --out results.csv
    """
    with _batches() as batches:
        _write(batches, batches.find(batch_id), out, kind, None)


@batches_group.command("cancel")
@click.argument("batch_id")
def batches_cancel(batch_id: str) -> None:
    """End a batch; its results so far stay.

    \b
    Example:
      hilum batches cancel ID
    """
    with _batches() as batches:
        found = batches.cancel(batch_id)
    click.echo(f"{found.id} is {found.status}")


def _score(batches: Batches, queued: StoredBatch, settings: Settings, places: StatePlaces, workers: int) -> StoredBatch:
    """Waits for the end of a batch, and meanwhile lets so many processes score."""
    from hilum.services.batch_desk import open_batch_supervisor
    from hilum.terminal import TerminalProgress

    batch = queued
    with ExitStack() as opened:
        progress = opened.enter_context(TerminalProgress())
        for _ in range(workers):
            supervisor = open_batch_supervisor(places, settings.state_environment() | {"HILUM_LOG_LEVEL": "warning"})
            supervisor.start()
            opened.callback(supervisor.close)
        for batch in batches.wait(str(queued.id)):
            scored = batch.n_answered + batch.n_refused
            progress("score", scored / batch.n_items, f"{scored} of {batch.n_items} images")
    return batch


def _write(
    batches: Batches, batch: StoredBatch, out: Path | None, kind: str | None, names: Iterator[str] | None
) -> None:
    """Writes results as they are read; `names`, by index, say what each image is called."""
    from hilum.web.result_files import json_line, results_csv, results_header

    kind = kind or ("csv" if out is not None and out.suffix.lower() == ".csv" else "jsonl")
    at, name = -1, None
    with (
        out.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        if out
        else nullcontext(sys.stdout) as file
    ):
        target: IO[str] = file
        if kind == "csv":
            target.write(results_header(with_file=names is not None))
        for some in batches.all_results(str(batch.id)):
            for result in some:
                while names is not None and at < result.item_index:
                    at, name = at + 1, next(names, None)
                target.write(results_csv([result], name) if kind == "csv" else json_line(result, name))


def _tell(batch: StoredBatch) -> None:
    told = f"{batch.n_answered} of {batch.n_items} images have a result, {batch.n_refused} a problem"
    click.echo(f"{batch.id} is {batch.status}: {told}" + (f": {batch.failure}" if batch.failure else ""), err=True)


def _version(settings: Settings, places: StatePlaces, model: str | None) -> str:
    """The registered version to score with; a new state begins with the bundle that a server would begin with."""
    from hilum.services.reference import reference_bundle
    from hilum.services.registry import open_registry

    with closing(open_registry(places, is_audited=settings.audit_log)) as registry:
        if model is not None:
            return registry.register(Path(model)).version if Path(model).is_dir() else registry.get(model).version
        champion = registry.champion()
        if champion is None:
            first = registry.register(settings.model or reference_bundle()).version
            registry.put_first(first)
            champion = registry.champion()
            return champion.version if champion is not None else first
        return champion.version


def _row(batch: StoredBatch) -> dict[str, Any]:
    times = ("created_at", "started_at", "ended_at")
    return {
        "id": str(batch.id),
        "status": batch.status,
        "note": batch.note,
        "model_version": batch.model_version,
        **{name: moment.isoformat(timespec="seconds") if (moment := getattr(batch, name)) else None for name in times},
        "images": batch.n_items,
        "answered": batch.n_answered,
        "refused": batch.n_refused,
        "failure": batch.failure,
    }


@contextmanager
def _batches() -> Iterator[Batches]:
    from hilum.services.batch_desk import open_batches

    with closing(open_batches(_ready_places(), is_audited=_settings().audit_log)) as batches:
        yield batches


def _settings() -> Settings:
    settings: Settings = click.get_current_context().obj()
    return settings


def _ready_places() -> StatePlaces:
    from hilum.services.state import StatePlaces, prepare

    settings = _settings()
    places = StatePlaces(settings.home, settings.database_url, settings.blobs_url)
    prepare(places)
    return places
