"""What the Dockerfile promises, read from its stages; `make container-proof` carries them out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from scripts.dockerfile import environment, lineage, read_stages

ROOT = Path(__file__).resolve().parents[2]
STAGES = read_stages((ROOT / "Dockerfile").read_text())
TARGETS = ("serve", "train")


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    ended = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_runs_as_a_user_without_a_name_in_the_host(target: str) -> None:
    assert STAGES[target].last("USER") == "10001:10001"
    assert STAGES[target].last("VOLUME") == environment(STAGES, target)["HILUM_HOME"]


def test_the_serving_image_is_made_of_the_serving_lock_only() -> None:
    instructions = [
        one for name in ("build-serve", "serve") for stage in lineage(STAGES, name) for one in stage.instructions
    ]
    locks = {lock for one in instructions for lock in re.findall(r"requirements/(\w+)\.txt", one.value)}
    assert locks == {"serve"}
    assert "tensorflow==" not in (ROOT / "requirements" / "serve.txt").read_text()


def test_the_serving_image_has_a_health_check_and_ends_by_sigterm() -> None:
    check = STAGES["serve"].last("HEALTHCHECK")
    assert "/health/live" in check
    assert "HILUM_PORT" in check
    assert STAGES["serve"].last("STOPSIGNAL") == "SIGTERM"


def test_bases_are_pinned() -> None:
    outside = {stage.base for stage in STAGES.values() if stage.base not in STAGES}
    assert outside
    assert all(re.search(r":\d+\.\d+", base) for base in outside)


def test_packages_are_installed_by_hash() -> None:
    installs = [one.value for stage in STAGES.values() for one in stage.instructions if "pip install" in one.value]
    assert len(installs) == 3
    assert all("--require-hashes" in value or "--no-deps" in value for value in installs)


def test_everything_copied_from_the_checkout_is_there_and_not_ignored() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    sources = {
        word
        for stage in STAGES.values()
        for one in stage.instructions
        if one.name == "COPY" and "--from=" not in one.value
        for word in one.words[:-1]
    }
    assert sources == allowed
    assert all((ROOT / source).exists() for source in sources)


def test_the_training_lock_agrees_with_the_development_lock() -> None:
    pinned = {
        name: set(re.findall(r"^([a-z0-9-]+==\S+)", (ROOT / "requirements" / f"{name}.txt").read_text(), re.MULTILINE))
        for name in ("train", "dev")
    }
    assert pinned["train"] <= pinned["dev"]


@pytest.mark.parametrize("text", ["RUN true", "FROM debian:12"])
def test_a_dockerfile_that_the_proof_cannot_follow_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="FROM"):
        read_stages(text)
