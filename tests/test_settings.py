"""The HILUM_* settings as a person gets them wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from hilum.cli import main
from hilum.settings import Settings, misspelt


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the machine's settings and state out of the tests."""
    for name in [name for name in os.environ if name.startswith("HILUM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HILUM_LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("HILUM_OTLP_ENDPOINT", "collector:4318", "'collector:4318' is no address such as http://collector:4318"),
        ("HILUM_ALLOWED_ORIGINS", "viewer.example", "'viewer.example' is no origin such as"),
    ],
)
def test_a_wrong_setting_is_told_in_words(name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main, ["keys", "list"])
    assert result.exit_code == 2
    assert f"{name}: " in result.stderr
    assert words in result.stderr


def test_an_empty_setting_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.setenv(f"HILUM_{field.upper()}", "")
    assert Settings() == Settings.model_construct()


def test_a_setting_with_nearly_the_right_name_is_told_and_another_program_s_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HILUM_API_KEY_REQUIRED", "true")
    monkeypatch.setenv("HILUM_DATA", "/data")
    monkeypatch.setenv("HILUM_SERVE_PORT", "tcp://10.0.0.1:80")
    assert misspelt(os.environ) == {"HILUM_API_KEY_REQUIRED": "HILUM_API_KEYS_REQUIRED"}
    assert "HILUM_API_KEYS_REQUIRED is one" in CliRunner().invoke(main, ["keys", "list"]).stderr


def test_log_levels_may_be_in_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_LOG_LEVEL", "INFO")
    assert Settings().log_level == "info"
