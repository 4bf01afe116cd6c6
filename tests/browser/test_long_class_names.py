"""A model with a class whose name is very long, on a narrow screen: no page becomes wider than the screen."""

from __future__ import annotations

import json
import re
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


def fits(page: Page) -> bool:
    """Whether nothing is wider than the screen, or than the card it is in."""
    page.wait_for_load_state("networkidle")
    return page.evaluate(OVERFLOW) <= 0 and page.evaluate(CUT_OFF) == []


def test_it_fits_beside_an_answer_its_verdict_and_its_row_in_the_history(
    page: Page, origin: str, slice_png: bytes
) -> None:
    choose(page, ("slice.png", slice_png))
    page.locator(".verdict-choice", has_text="Pneumono").click()
    expect(page.locator("#verdict-note")).to_contain_text("Kept")
    assert fits(page)
    page.goto(f"{origin}/history")
    expect(page.locator(".history-table .pill", has_text="Pneumono")).to_be_visible()
    assert fits(page)


def test_it_fits_above_the_slices_of_a_cell_of_the_confusion_matrix(page: Page, origin: str) -> None:
    page.goto(f"{origin}/performance")
    page.get_by_role("button", name=re.compile("Pneumono.* called pneumono")).click()
    expect(page.locator("#confusion-slices h3")).to_contain_text("pneumono")
    assert fits(page)


@pytest.mark.parametrize("path", ["data", "registry", "training", "study"])
def test_it_fits_on_the_other_pages(page: Page, origin: str, path: str) -> None:
    page.goto(f"{origin}/{path}")
    expect(page.locator("main h1")).to_be_visible()
    assert fits(page)
