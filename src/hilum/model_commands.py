"""`hilum models`: bundles, and the registry that says which one serves. Thin like the command line they belong to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hilum.services.registry import Registry
    from hilum.settings import Settings

_CLI = "cli"


@click.group()
def models() -> None:
    """Look at model bundles, and decide which one serves."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")
def list_all(*, as_json: bool) -> None:
    """List the registered models, the newest first, and say which is the champion.

    \b
    Example:
      hilum models list
    """
    from hilum.terminal import print_models

    with _registry() as registry:
        aliases = registry.aliases()
        rows = [
            {
                **asdict(model),
                "created_at": model.created_at.isoformat(timespec="seconds"),
                "aliases": [name for name, alias in aliases.items() if alias.version == model.version],
            }
            for model in registry.list()
        ]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
    else:
        print_models(rows)


@models.command("show")
@click.argument("model", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def show(model: str | None, *, as_json: bool) -> None:
    """Verify a bundle and say what it is; MODEL is its folder, or the version of a registered one.

    \b
    Examples:
      hilum models show models/reference
      hilum models show efficientnet-lite0-20261126-fb31cd65
    """
    from hilum.inference.predictor import Predictor
    from hilum.services.reference import reference_bundle
    from hilum.terminal import print_bundle

    lineage: dict[str, str] = {}
    if model is None or Path(model).is_dir() or "/" in model:
        folder = Path(model) if model is not None else _settings().model or reference_bundle()
    else:
        folder, lineage = _fetched(model)
    manifest = Predictor.load(folder).manifest
    if as_json:
        click.echo(manifest.model_dump_json(indent=2))
    else:
        print_bundle(manifest, folder, lineage)


@models.command()
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--as", "version", metavar="VERSION", help="Register it under this version instead of its own.")
def register(bundle: Path, *, version: str | None) -> None:
    """Keep the bundle in the folder BUNDLE in the registry; nothing else serves because of it.

    \b
    Examples:
      hilum models register models/mine
      hilum models register models/mine --as mine-measured-again
    """
    from hilum.inference.predictor import Predictor

    Predictor.load(bundle)
    with _registry() as registry:
        version = registry.register(bundle, version=version, actor=_CLI).version
    click.echo(f"{version} is registered; let it serve with: hilum models promote {version}")


@models.command()
@click.argument("version")
@click.option("--expect", metavar="VERSION", help="Do nothing where another model than this is the champion.")
def promote(version: str, expect: str | None) -> None:
    """Make VERSION the champion: every server fetches, verifies and serves it within seconds.

    \b
    Examples:
      hilum models promote efficientnet-lite0-20261126-fb31cd65
    """
    from hilum.inference.predictor import Predictor

    with _registry() as registry:
        Predictor.load(registry.fetch(version))
        moved = registry.promote(version, actor=_CLI, expected=expect)
    click.echo(f"{moved.version} is the champion" + (f", before it {moved.earlier[-1]}" if moved.earlier else ""))


@models.command()
def rollback() -> None:
    """Make the champion before this one the champion again; said again it goes one further back.

    \b
    Example:
      hilum models rollback
    """
    with _registry() as registry:
        moved = registry.rollback(actor=_CLI)
    click.echo(f"{moved.version} is the champion again")


def _fetched(version: str) -> tuple[Path, dict[str, str]]:
    """The folder of a registered bundle, and where it comes from in words."""
    with _registry() as registry:
        found = registry.get(version)
        named = [name for name, alias in registry.aliases().items() if alias.version == version]
        folder = registry.fetch(version)
    lineage: dict[str, Any] = {
        "aliases": ", ".join(named),
        "trained from": found.parent_version,
        "training run": found.run_id,
        "snapshot": found.snapshot_digest,
    }
    return folder, {name: str(value) for name, value in lineage.items() if value}


@contextmanager
def _registry() -> Iterator[Registry]:
    """The registry, in a database made ready as `hilum serve` would."""
    from hilum.services.registry import open_registry
    from hilum.services.state import StatePlaces, prepare

    settings = _settings()
    places = StatePlaces(settings.home, settings.database_url, settings.blobs_url)
    prepare(places)
    registry = open_registry(places, is_audited=settings.audit_log)
    try:
        yield registry
    finally:
        registry.close()


def _settings() -> Settings:
    """The root command hands down, as `obj`, how settings are read."""
    settings: Settings = click.get_current_context().obj()
    return settings
