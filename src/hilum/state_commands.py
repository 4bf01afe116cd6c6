"""`hilum db` and `hilum replay`: the commands about state. Thin like the command line they belong to."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hilum.errors import BlobCorrupt, BlobMissing, ReplayFailed, StorageInvalid

if TYPE_CHECKING:
    from hilum.services.receipts import Receipt
    from hilum.services.state import StatePlaces
    from hilum.settings import Settings
    from hilum.storage.backup import BackupSummary
    from hilum.storage.blobs import Blobs


@click.group()
def db() -> None:
    """Look after the database and the kept images."""


@db.command()
def status() -> None:
    """Say which revision the database has and which is needed; exit code 7 where they differ.

    \b
    Example:
      hilum db status
    """
    from hilum.storage.revision import REVISION
    from hilum.storage.schema import current_revision, require_current

    with closing(_places().open_database()) as database:
        click.echo(f"database  {database.url.render_as_string(hide_password=True)}")
        click.echo(f"revision  {current_revision(database) or 'none'}, needed {REVISION}")
        require_current(database)


@db.command()
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the database up to REVISION, by default the newest.

    \b
    Example:
      hilum db upgrade
    """
    from hilum.storage.schema import upgrade as migrate

    places = _places()
    places.make_home()
    with closing(places.open_database()) as database:
        click.echo(f"the database has revision {migrate(database, revision) or 'none'}")


@db.command()
@click.argument("revision")
def downgrade(revision: str) -> None:
    """Bring the database down to REVISION; 'base' leaves nothing. What newer tables held is lost.

    \b
    Example:
      hilum db backup before.tar && hilum db downgrade base
    """
    from hilum.storage.schema import downgrade as migrate

    with closing(_places().open_database()) as database:
        click.echo(f"the database has revision {migrate(database, revision) or 'none'}")


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Write the database and, from a folder, the images into the new FILE; a server may go on serving.

    \b
    Example:
      hilum db backup hilum-2026-11-23.tar
    """
    from hilum.storage.backup import backup as write

    if not file.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder {str(file.parent)!r} to write the backup into")
    places = _places()
    with closing(places.open_database()) as database:
        made = write(database, places.open_blobs(), file.absolute(), also=_other_blobs(places))
    click.echo(f"{file}: {_described(made)}")


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite a database that holds predictions.")
def restore(file: Path, *, force: bool) -> None:
    """Bring back what `hilum db backup` wrote into FILE, once all of it is verified.

    \b
    Example:
      hilum db restore hilum-2026-11-23.tar
    """
    from hilum.services.audit_log import note_restored
    from hilum.storage.backup import restore as bring_back

    places = _places()
    places.make_home()
    with closing(places.open_database()) as database:
        summary = bring_back(database, places.open_blobs(), file, also=_other_blobs(places), is_forced=force)
        note_restored(database, summary.made_at)
    click.echo(f"restored {_described(summary)}")


@db.command()
def rewrite_images() -> None:
    """Replace images kept as they were sent, by early versions, with copies of their pixels; a server may go on.

    \b
    Example:
      hilum db rewrite-images
    """
    from hilum.services.decoding import Decoders
    from hilum.services.kept_files import rewrite_kept_files
    from hilum.storage.schema import require_current

    places = _places()
    decoders = Decoders("codecs")
    with closing(places.open_database()) as database, closing(decoders):
        require_current(database)
        done = rewrite_kept_files(database, places.open_blobs(), decoders.decode)
    click.echo(f"{done.copied} images are kept as copies of their pixels, {done.forgotten} are kept no more")
    if done.damaged:
        raise BlobCorrupt(f"{done.damaged} images are damaged and were left; restore them from a backup and go on")


@click.command()
@click.argument("receipt", type=click.Path(path_type=Path))
@click.option("--image", type=click.Path(path_type=Path), help="The image [the one kept with the prediction].")
@click.option("--model", type=click.Path(path_type=Path), help="Bundle to use [HILUM_MODEL, the reference model].")
def replay(receipt: Path, image: Path | None, model: Path | None) -> None:
    """Make a prediction again from its RECEIPT, or say why the answer is not the same (exit code 8).

    \b
    Examples:
      curl -o receipt.json http://localhost:8000/predictions/ID/receipt
      hilum replay receipt.json --image slice.png
    """
    from hilum.inference.predictor import Predictor
    from hilum.services import receipts
    from hilum.services.reference import reference_bundle

    read = receipts.read_receipt(receipt)
    data = _image_of(read.kept_sha256 or read.image_sha256, image)
    settings: Settings = click.get_current_context().obj()
    predictor = Predictor.load(model or settings.model or reference_bundle())
    replayed = receipts.replay(read, data, predictor)
    record = _compared_with_history(read)
    found = replayed.prediction
    click.echo(f"reproduced: {found.predicted_class} {max(found.probabilities.values()):.4f}, {found.decision}")
    click.echo(f"largest difference of a probability: {replayed.largest_difference:.1e}")
    click.echo(record)
    for words in replayed.other_versions:
        click.echo(f"another version: {words}")


def _compared_with_history(receipt: Receipt) -> str:
    """What the history here says of a receipt: nothing signs one, so that an altered one may replay."""
    from hilum.services.receipts import check_record

    places = _places()
    if places.database_url is None and not places.default_database.is_file():
        return "there is no history here to compare the receipt with"
    try:
        with closing(places.open_database()) as database:
            is_known = check_record(receipt, database)
    except StorageInvalid as error:
        return f"the receipt was not compared with the history: {error.detail}"
    return "the history holds the same receipt" if is_known else "the history here has no prediction of this id"


def _image_of(digest: str, file: Path | None) -> bytes:
    """The image named, or the one kept under `digest`."""
    try:
        return file.read_bytes() if file is not None else _places().open_blobs().get(digest)
    except OSError as error:
        raise ReplayFailed(f"{str(file)!r} cannot be read: {error.strerror}") from error
    except BlobMissing as error:
        raise ReplayFailed("the image is not kept here; name it with --image") from error


def _other_blobs(places: StatePlaces) -> list[Blobs]:
    """Labelled images and the files of models."""
    from hilum.services.bundle_store import BUNDLES
    from hilum.services.state import LABELLED

    return [places.open_blobs(kind) for kind in (LABELLED, BUNDLES)]


def _described(summary: BackupSummary) -> str:
    is_elsewhere = summary.images is None
    images = "images and models are in the object store" if is_elsewhere else f"{summary.images} images and model files"
    moment = summary.made_at.isoformat(timespec="seconds")
    return f"{summary.database} at revision {summary.revision} of {moment}, {images}"


def _places() -> StatePlaces:
    """Where state lies; the root command hands down, as `obj`, how settings are read."""
    from hilum.services.state import StatePlaces

    settings: Settings = click.get_current_context().obj()
    return StatePlaces(settings.home, settings.database_url, settings.blobs_url)
