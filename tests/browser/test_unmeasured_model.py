"""A model that was never measured, in a real browser: its classes are offered all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from hilum.inference.bundle import MANIFEST, METRICS
from server_process import running_server
from tiny_bundle import write_tiny_bundle


@pytest.fixture(scope="module")
def origin(built_pages: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server of such a model answers."""
    folder = tmp_path_factory.mktemp("unmeasured")
    bundle = write_tiny_bundle(folder / "bundle")
    manifest = json.loads((bundle / MANIFEST).read_text())
    manifest["files"].pop(METRICS, None)
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    (bundle / METRICS).unlink(missing_ok=True)
    with running_server(bundle, folder / "server.log") as server:
        yield f"http://localhost:{server.port}"


def test_the_history_can_be_filtered_by_its_classes(blank: Page, origin: str) -> None:
    blank.goto(f"{origin}/history")
    for name in ("predicted_class", "confirmed_class"):
        expect(blank.locator(f"#{name} option[value=adenocarcinoma]")).to_have_text("Adenocarcinoma")


def test_images_can_be_labelled_with_its_classes(blank: Page, origin: str) -> None:
    blank.goto(f"{origin}/data")
    expect(blank.locator("#known-classes option[value=adenocarcinoma]")).to_have_count(1)
