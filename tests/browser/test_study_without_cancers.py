"""A series in a real browser before a model none of whose classes is a cancer: no slice is suspected."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from page_actions import IS_DRAWN, choose
from playwright.sync_api import Page, expect

from hilum.inference.bundle import MANIFEST
from series_files import series_slice, zip_of
from server_process import running_server
from tiny_bundle import write_tiny_bundle


@pytest.fixture(scope="module")
def origin(built_pages: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server of such a model answers."""
    folder = tmp_path_factory.mktemp("no-cancers")
    bundle = write_tiny_bundle(folder / "bundle")
    manifest = json.loads((bundle / MANIFEST).read_text())
    (bundle / MANIFEST).write_text(json.dumps(manifest | {"cancer_class_names": []}))
    with running_server(bundle, folder / "server.log") as server:
        yield f"http://localhost:{server.port}"


def test_a_series_is_shown_whole_and_no_slice_is_suspected(blank: Page, origin: str) -> None:
    blank.goto(f"{origin}/study")
    choose(blank, ("series.zip", zip_of([series_slice(number) for number in range(6)])))
    expect(blank.locator("#study")).to_be_visible()
    blank.wait_for_function(IS_DRAWN, arg="slice")
    expect(blank.locator("#slice-words")).to_contain_text("Slice 1 of 6")
    expect(blank.locator("#study-note")).to_contain_text("Over 6 answered slices.")
    expect(blank.locator("#profile-title")).to_have_text("Probability of the answer along the series")
    expect(blank.locator("#profile-note")).to_have_text("The slice in the viewer is the largest point.")
    expect(blank.locator("#study-cancer")).to_be_hidden()
    expect(blank.locator("#suspicious-title")).to_be_hidden()
    expect(blank.locator(".suspect")).to_have_count(0)
