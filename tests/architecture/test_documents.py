"""What the documents name exists: pages and headings they link to, files, settings, make targets, commands, benches."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from hilum.cli import main
from hilum.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md"), *ROOT.glob("models/*/*.md")]
)
DECISIONS = [name for name in DOCUMENTS if name.startswith("docs/decisions/")]
HISTORY = {"CHANGELOG.md"}
"""Tells of what is gone, too."""
ROOMS = ("src", "tests", "docs", "deploy", "bench", "scripts", "models/reference", "notebook", "requirements", ".ci")
WRITTEN = {"bench/results", "notebook/out"}
"""What programs write there; git ignores it."""
NOT_SETTINGS = {
    *("HILUM_DATA", "HILUM_INSTANCES", "HILUM_LOAD_KEY", "HILUM_METRICS_KEY_FILE"),
    "HILUM_KEY",
    "HILUM_ALLOW_OPEN",
}
"""Of the Makefile, of compose and of the load test; of the reader's shell; what decision 9 replaced."""


@cache
def text_of(document: str) -> str:
    return (ROOT / document).read_text()


@cache
def anchors_of(document: str) -> frozenset[str]:
    """What GitHub calls the headings of a page in a link."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text_of(document), flags=re.DOTALL), re.MULTILINE):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = found.count(anchor)
        found.append(f"{anchor}-{count}" if count else anchor)
    return frozenset(found)


def code_in(document: str) -> Iterator[str]:
    """Every line of a fenced block, and every inline piece of code."""
    text = text_of(document)
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from block.replace("\\\n", " ").splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


@cache
def tracked_files() -> tuple[str, ...]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    return tuple(listed.stdout.splitlines())


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_pages_and_headings_there_are(document: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
        if re.match(r"[a-z]+:", target):
            continue
        page, _, anchor = target.partition("#")
        path = (ROOT / document).parent / page if page else ROOT / document
        assert path.exists(), f"{document} links to {target}"
        if anchor:
            assert anchor in anchors_of(path.resolve().relative_to(ROOT).as_posix()), f"{document} links to {target}"


def test_each_page_can_be_reached_from_the_first() -> None:
    reached, waiting = set(), ["README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        for target in re.findall(r"\]\(([^)#\s]+\.md)[^)]*\)", text_of(page)):
            found = (ROOT / page).parent.joinpath(target).resolve()
            if found.is_relative_to(ROOT) and (name := found.relative_to(ROOT).as_posix()) not in reached:
                waiting.append(name)
        if "](docs/decisions)" in text_of(page):
            waiting += set(DECISIONS) - reached
    assert set(DOCUMENTS) - reached == {"CHANGELOG.md"}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_it_names_are_in_the_repository(document: str) -> None:
    files = tracked_files()
    folders = {str(parent) for file in files for parent in Path(file).parents}
    for code in code_in(document):
        for name in re.findall(rf"(?<![\w/.-])(?:{'|'.join(map(re.escape, ROOMS))})/[\w./-]+\w", code):
            assert name in {*files, *folders, *WRITTEN}, f"{document} names {name}"


@pytest.mark.parametrize("document", sorted(set(DOCUMENTS) - HISTORY))
def test_settings_it_names_are_there(document: str) -> None:
    settings = {f"HILUM_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"\bHILUM_[A-Z_]*[A-Z]\b", text_of(document)))
    assert named - settings - NOT_SETTINGS == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_targets_it_names_are_there(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    named = {name for code in code_in(document) for name in re.findall(r"^make ([a-z-]+)", code.strip())}
    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_and_options_it_names_are_there(document: str) -> None:
    for code in code_in(document):
        for line in re.findall(r"(?:^|[;&|=$] ?|[A-Z_]+=\S+ )(?:\.venv/bin/)?hilum ([a-z][^;&#]*)", code.strip()):
            command: click.Command = main
            words = line.split(" | ")[0].split()
            while words and isinstance(command, click.Group):
                name = words.pop(0)
                if not re.fullmatch(r"[a-z-]+", name):
                    break
                found = [command.commands.get(one) for one in name.split("|")]
                assert all(found), f"{document}: hilum {line}"
                assert found[0]
                command = found[0]
            options = {
                option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
            }
            named = {word.partition("=")[0].rstrip(".,)") for word in words if re.match(r"--[a-z]", word)}
            assert named <= options | {"--help"}, f"{document}: hilum {line}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_benches_and_their_options_are_there(document: str) -> None:
    for code in code_in(document):
        for module, rest in re.findall(r"python -m ((?:bench|scripts)\.\w+)([^|;&#)]*)", code):
            path = ROOT / f"{module.replace('.', '/')}.py"
            assert path.is_file(), f"{document} names {module}"
            for option in re.findall(r"(?<!\S)--[a-z-]+", rest):
                assert f'"{option}"' in path.read_text(), f"{document} gives {module} {option}"
