"""`hilum models` as a person uses it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hilum.cli import main
from registered_models import write_bundles


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three bundles that answer differently."""
    return write_bundles(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own."""
    for name in ("HILUM_DATABASE_URL", "HILUM_BLOBS_URL", "HILUM_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def hilum(*arguments: object) -> Result:
    """Runs `hilum` with `arguments`."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="hilum")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_registered_promoted_listed_and_rolled_back(bundles: dict[str, Path]) -> None:
    assert "tiny-a is registered" in hilum("models", "register", bundles["tiny-a"]).stdout
    assert hilum("models", "promote", "tiny-a").stdout == "tiny-a is the champion\n"
    assert hilum("models", "register", bundles["tiny-b"]).exit_code == 0
    assert hilum("models", "promote", "tiny-b", "--expect", "tiny-a").stdout == (
        "tiny-b is the champion, before it tiny-a\n"
    )
    listed = [json.loads(line) for line in hilum("models", "list", "--json").stdout.splitlines()]
    assert [(row["version"], row["aliases"]) for row in listed] == [("tiny-b", ["champion"]), ("tiny-a", [])]
    assert re.search(r"tiny-b +champion +\d{4}-\d\d-\d\d \d\d:\d\d +0\.9100 +0\.8800 – 0\.9400 +315",
                     hilum("models", "list").stdout)  # fmt: skip
    assert hilum("models", "rollback").stdout == "tiny-a is the champion again\n"
    events = [json.loads(line) for line in hilum("audit-log", "export").stdout.splitlines()]
    assert [(event["kind"], event["actor"], event["subject"]) for event in events] == [
        ("model-registered", "cli", "tiny-a"), ("promote", "cli", "tiny-a"), ("model-registered", "cli", "tiny-b"),
        ("promote", "cli", "tiny-b"), ("rollback", "cli", "tiny-a"),
    ]  # fmt: skip


def test_a_bundle_is_registered_under_another_version(bundles: dict[str, Path]) -> None:
    hilum("models", "register", bundles["tiny-a"])
    told = hilum("models", "register", bundles["tiny-a"], "--as", "tiny-again").stdout
    assert told == "tiny-again is registered; let it serve with: hilum models promote tiny-again\n"
    assert hilum("models", "promote", "tiny-again").stdout == "tiny-again is the champion\n"
    assert hilum("models", "register", bundles["tiny-a"], "--as", "../x").exit_code == 5


def test_what_is_refused_exits_with_5(bundles: dict[str, Path]) -> None:
    hilum("models", "register", bundles["tiny-a"])
    for arguments, words in (
        (("promote", "tiny-z"), "There is no such model"),
        (("promote", "../../x"), "There is no such model"),
        (("promote", "tiny-a", "--expect", "tiny-z"), "the champion is none"),
        (("rollback",), "There is no earlier champion"),
        (("show", "tiny-z"), "There is no such model"),
    ):
        result = hilum("models", *arguments)
        assert result.exit_code == 5
        assert words in result.stderr


def test_a_registered_model_is_shown_by_its_version(bundles: dict[str, Path], home: Path) -> None:
    hilum("models", "register", bundles["tiny-b"])
    hilum("models", "promote", "tiny-b")
    shown = hilum("models", "show", "tiny-b")
    assert shown.exit_code == 0
    for words in ("tiny-b", "champion", str(home / "models")):
        assert words in shown.stdout
    assert json.loads(hilum("models", "show", "tiny-b", "--json").stdout)["model_version"] == "tiny-b"
