"""A model with a class whose name is very long, on a narrow screen: no page becomes wider than the screen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_actions import CUT_OFF, OVERFLOW, choose
from playwright.sync_api import Page, expect

from hilum.inference.bundle import MANIFEST, file_digest
from server_process import running_server

REFERENCE = Path(__file__).parents[2] / "models" / "reference"
LONG = "pneumonoultramicroscopicsilicovolcanoconiosis_of_the_lower_lobe"


@pytest.fixture(scope="module")
def origin(built_pages: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server of the reference model answers, one of whose classes is called otherwise in all it measured."""
    folder = tmp_path_factory.mktemp("long-names")
    bundle = shutil.copytree(REFERENCE, folder / "bundle")
    for file in bundle.glob("*.json"):
        file.write_text(file.read_text().replace("squamous_cell_carcinoma", LONG))
    manifest = json.loads((bundle / MANIFEST).read_text())
    manifest["files"] = {name: file_digest(bundle / name) for name in manifest["files"]}
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    with running_server(bundle, folder / "server.log") as server:
        yield f"http://localhost:{server.port}"


@pytest.fixture
def page(blank: Page, origin: str) -> Page:
    """The first page of a narrow screen."""
    blank.set_viewport_size({"width": 360, "height": 740})
    blank.goto(origin)
    return blank


def test_it_fits_beside_an_answer_and_its_verdict(page: Page, slice_png: bytes) -> None:
    choose(page, ("slice.png", slice_png))
    page.locator(".verdict-choice", has_text="Pneumono").click()
    expect(page.locator("#verdict-note")).to_contain_text("Kept")
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate(CUT_OFF) == []


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("data", "#known-classes option"),
        ("performance", ".confusion-slices, #confusion"),
        ("history", "#predicted_class option"),
        ("registry", "main h1"),
        ("training", "main h1"),
    ],
)
def test_it_fits_on_every_page(page: Page, origin: str, path: str, shown: str) -> None:
    page.goto(f"{origin}/{path}")
    expect(page.locator(shown).first).to_be_attached()
    page.wait_for_load_state("networkidle")
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate(CUT_OFF) == []
