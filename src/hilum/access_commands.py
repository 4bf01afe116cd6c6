"""`hilum keys` and `hilum audit-log`: the commands about who may ask and who did. Thin, like the command line."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from hilum.services.state import StatePlaces
    from hilum.settings import Settings
    from hilum.storage.database import Database
    from hilum.storage.keys import StoredKey

_ROLES = ("predict", "annotate", "administer")
_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), default="predict", show_default=True, help="What the key may do.")
@click.option("--expires-in-days", type=click.IntRange(1, 3650), help="End the key after so many days [never].")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def create(name: str, role: str, *, expires_in_days: int | None, as_json: bool) -> None:
    """Make a key for NAME, a program or a person, and print it once: it is not kept.

    Each role may do what the ones before it may: predict, annotate (see the history, confirm classes), administer.

    \b
    Examples:
      hilum keys create viewer
      hilum keys create --role administer me --expires-in-days 90
    """
    from hilum.services.keys import Role, create_key

    if not (name.isprintable() and 0 < len(name) <= 100):
        raise click.UsageError("NAME has 1 to 100 printable characters")
    lasts = timedelta(days=expires_in_days) if expires_in_days else None
    with closing(_migrated_database()) as database:
        made = create_key(database, name, Role(role), expires_in=lasts, is_audited=_settings().audit_log)
    if as_json:
        click.echo(json.dumps(_as_json(made.stored) | {"key": made.token}))
        return
    click.echo(made.token)
    click.echo(f"key {made.stored.prefix} has the role {role}; it is shown this once, keep it safe", err=True)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")
def list_all(*, as_json: bool) -> None:
    """List keys, also those that are no longer usable. The keys themselves are not known.

    \b
    Example:
      hilum keys list
    """
    from hilum.services.keys import list_keys
    from hilum.terminal import print_keys

    with closing(_database()) as database:
        found = list_keys(database)
    if as_json:
        for key in found:
            click.echo(json.dumps(_as_json(key)))
    else:
        print_keys([_as_json(key) for key in found])


@keys.command("revoke")
@click.argument("prefix")
def revoke(prefix: str) -> None:
    """Revoke the key of PREFIX, its 8 characters after `hilum_`; servers refuse it within seconds.

    \b
    Example:
      hilum keys revoke 3f9a02c1
    """
    from hilum.services.keys import revoke_key

    with closing(_database()) as database:
        if not revoke_key(database, prefix, is_audited=_settings().audit_log):
            raise click.UsageError(f"no usable key has the prefix {prefix!r}; see: hilum keys list")
    click.echo(f"key {prefix} is revoked")


@click.group("audit-log")
def audit_log() -> None:
    """Verify and export the log of who did what."""


@audit_log.command("verify")
@click.option("--head", help="NUMBER:HASH that an earlier run printed; it must still be in the log.")
def verify(head: str | None) -> None:
    """Follow the chain of hashes from the first event to the last; exit code 7 names the first broken one.

    Note the head it prints where this machine's owner cannot change it: --head proves later that nothing before it
    was rewritten.

    \b
    Examples:
      hilum audit-log verify
      hilum audit-log verify --head 120:9c1e…
    """
    from hilum.services.audit_log import Head
    from hilum.services.audit_log import verify as verify_log

    noted = _HEAD.fullmatch(head) if head else None
    if head and noted is None:
        raise click.UsageError("--head takes NUMBER:HASH, as `hilum audit-log verify` prints it")
    with closing(_database()) as database:
        found = verify_log(database, Head(int(noted.group(1)), noted.group(2)) if noted else None).head
    click.echo(f"{found.sequence} events, each as it was written")
    click.echo(f"head {found.sequence}:{found.digest}")


@audit_log.command("export")
@click.option("--out", type=click.File("w", encoding="utf-8"), default="-", help="File to write [standard output].")
def export(out: TextIO) -> None:
    """Write every event, one JSON object a line, with the hashes that chain them.

    \b
    Example:
      hilum audit-log export --out audit.jsonl
    """
    from hilum.services.audit_log import export as export_log

    with closing(_database()) as database:
        out.writelines(
            json.dumps(asdict(event) | {"at": event.at.isoformat(timespec="microseconds")}) + "\n"
            for event in export_log(database)
        )


def _as_json(key: StoredKey) -> dict[str, Any]:
    """What is shown of a key: not its hash."""
    now = datetime.now(UTC)
    expired_or_not = "usable" if key.is_usable(now) else "expired"
    state = "revoked" if key.revoked_at is not None else expired_or_not
    times = {
        name: moment.isoformat(timespec="seconds") if (moment := getattr(key, name)) is not None else None
        for name in ("created_at", "expires_at", "revoked_at", "last_used_at")
    }
    return {"prefix": key.prefix, "name": key.name, "role": key.role, "state": state, **times}


def _settings() -> Settings:
    """The root command hands down, as `obj`, how settings are read."""
    settings: Settings = click.get_current_context().obj()
    return settings


def _places() -> StatePlaces:
    from hilum.services.state import StatePlaces

    settings = _settings()
    return StatePlaces(settings.home, settings.database_url, settings.blobs_url)


def _database() -> Database:
    """The database, where it has the tables."""
    from hilum.storage.schema import require_current

    database = _places().open_database()
    require_current(database)
    return database


def _migrated_database() -> Database:
    """The database, made ready as `hilum serve` would: the first key comes before the first start."""
    from hilum.services.state import prepare

    places = _places()
    prepare(places)
    return places.open_database()
