"""The page names the training slices most like the one shown, as text, and says when it is one of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from known_bundle import phantom_png, write_known_bundle
from server_process import running_server


@pytest.fixture(scope="module")
def origin(built_pages: None, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server of the tiny bundle with a list of training slices answers."""
    folder = tmp_path_factory.mktemp("known")
    with running_server(write_known_bundle(tiny_bundle, folder / "bundle"), folder / "server.log") as server:
        yield f"http://localhost:{server.port}"


def _choose(page: Page, data: bytes) -> None:
    page.set_input_files("#file", {"name": "slice.png", "mimeType": "image/png", "buffer": data})


def test_look_alikes_are_listed_as_text(page: Page) -> None:
    _choose(page, phantom_png(22))

    expect(page.locator("#look-alikes")).to_be_visible()
    expect(page.locator("#look-alikes-list li")).to_have_count(5)
    page.get_by_text("Most similar training slices", exact=True).click()
    first = page.locator("#look-alikes-list li").first
    expect(first).to_contain_text("Adenocarcinoma")
    expect(first).to_contain_text("1.00")
    expect(first).to_contain_text("phantoms: train/<i>22</i>.png")
    expect(page.locator("#look-alikes i")).to_have_count(0)
    expect(page.locator("#look-alikes-note")).to_contain_text("of the predicted class")


def test_a_training_slice_is_said_to_be_one(page: Page) -> None:
    _choose(page, phantom_png(22))
    expect(page.locator("#warnings")).to_contain_text("The model was trained on this very slice")

    _choose(page, phantom_png(3))
    expect(page.locator("#warnings")).to_be_hidden()
    expect(page.locator("#look-alikes")).to_be_visible()
