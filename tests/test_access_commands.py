"""`hilum keys` and `hilum audit-log` as a person uses them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hilum.cli import main
from hilum.services.keys import digest_of
from hilum.services.state import StatePlaces

_KEY = re.compile(r"hilum_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own."""
    for name in ("HILUM_DATABASE_URL", "HILUM_BLOBS_URL", "HILUM_AUDIT_LOG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def hilum(*arguments: object) -> Result:
    """Runs `hilum` with `arguments`."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="hilum")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def created(*arguments: object) -> str:
    """A new key."""
    return hilum("keys", "create", *arguments).stdout.strip()


def test_a_key_is_printed_once_and_not_kept(home: Path) -> None:
    key = created("viewer", "--role", "annotate")
    found = _KEY.fullmatch(key)
    assert found is not None

    listed = json.loads(hilum("keys", "list", "--json").stdout)
    assert listed["prefix"] == found.group(1)
    assert (listed["name"], listed["role"], listed["state"]) == ("viewer", "annotate", "usable")
    assert listed["expires_at"] is listed["last_used_at"] is None
    kept = b"".join(file.read_bytes() for file in home.glob("hilum.db*"))
    assert key.encode() not in kept
    assert digest_of(key).encode() in kept
    assert digest_of(key) not in hilum("keys", "list", "--json").stdout


def test_keys_are_listed_as_a_table() -> None:
    key = created("[bold]viewer")
    table = hilum("keys", "list").stdout

    assert key[6:14] in table
    assert "[bold]viewer" in table
    assert key not in table


def test_a_key_can_be_made_for_a_program() -> None:
    made = json.loads(created("ci", "--json", "--expires-in-days", 1))

    assert _KEY.fullmatch(made["key"])
    assert made["expires_at"] > made["created_at"]


def test_a_key_is_revoked_once() -> None:
    key = created("viewer")
    assert hilum("keys", "revoke", key[6:14]).output == f"key {key[6:14]} is revoked\n"

    assert json.loads(hilum("keys", "list", "--json").stdout)["state"] == "revoked"
    again = hilum("keys", "revoke", key[6:14])
    assert (again.exit_code, "no usable key has the prefix" in again.output) == (2, True)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 101])
def test_a_name_that_would_break_the_table_is_refused(name: str) -> None:
    assert hilum("keys", "create", name).exit_code == 2


def test_without_a_database_the_command_to_run_is_named() -> None:
    result = hilum("keys", "list")

    assert result.exit_code == 7
    assert "hilum db upgrade" in result.output


def test_the_audit_log_is_verified_and_exported(home: Path, tmp_path: Path) -> None:
    key = created("viewer")
    head = hilum("audit-log", "verify").stdout.splitlines()[-1].removeprefix("head ")
    hilum("keys", "revoke", key[6:14])

    assert hilum("audit-log", "verify", "--head", head).stdout.startswith("2 events")
    assert hilum("audit-log", "verify", "--head", "nonsense").exit_code == 2
    assert hilum("audit-log", "verify", "--head", "1:" + "f" * 64).exit_code == 7
    hilum("audit-log", "export", "--out", tmp_path / "audit.jsonl")
    events = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [(event["kind"], event["subject"]) for event in events] == [
        ("key-created", key[6:14]), ("key-revoked", key[6:14]),
    ]  # fmt: skip
    assert events[1]["previous_digest"] == events[0]["digest"]
    assert hilum("audit-log", "export").stdout == (tmp_path / "audit.jsonl").read_text()

    database = StatePlaces(home).open_database()
    with database.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_events_no_update")
        connection.exec_driver_sql("UPDATE audit_events SET actor = 'nobody' WHERE sequence = 2")
    database.close()
    broken = hilum("audit-log", "verify")
    assert broken.exit_code == 7
    assert "event 2 was changed" in broken.output


def test_the_audit_log_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_AUDIT_LOG", "false")
    key = created("viewer")
    hilum("keys", "revoke", key[6:14])

    assert hilum("audit-log", "verify").stdout.startswith("0 events")


def test_a_restored_backup_is_marked_in_the_audit_log(tmp_path: Path) -> None:
    created("viewer")
    hilum("db", "backup", tmp_path / "hilum.tar")
    created("other")
    hilum("db", "restore", tmp_path / "hilum.tar", "--force")

    kinds = [json.loads(line)["kind"] for line in hilum("audit-log", "export").stdout.splitlines()]
    assert kinds == ["key-created", "restored"]
    assert hilum("audit-log", "verify").exit_code == 0
