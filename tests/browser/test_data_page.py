"""Labelled images in a real browser before a real server: added, looked over, worked through."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_actions import CUT_OFF, OVERFLOW, choose, drop, serious_faults
from playwright.sync_api import Page, expect

from labelled_samples import drawn_png
from server_process import running_server


@pytest.fixture(scope="module")
def origin(built_pages: None, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server with a state of its own answers; its model lets every picture pass."""
    folder = tmp_path_factory.mktemp("data")
    with running_server(tiny_bundle, folder / "server.log") as server:
        yield f"http://localhost:{server.port}"


@pytest.fixture
def page(blank: Page, origin: str) -> Page:
    """The page about data."""
    blank.goto(f"{origin}/data")
    return blank


def _count(page: Page, kind: str) -> int:
    return int(page.locator("#report-counts div", has_text=kind).locator("dd").text_content() or "-1")


def test_the_first_start_leads_on(page: Page) -> None:
    expect(page.locator("#overview-state")).to_contain_text("No labelled slices yet")
    expect(page.locator("#quarantine-state")).to_contain_text("Nothing waits")
    expect(page.get_by_role("link", name="Classify some slices")).to_be_visible()


def test_slices_of_a_class_are_added_with_a_live_report(page: Page) -> None:
    page.get_by_label("Class", exact=True).first.fill("normal")
    choose(
        page, *[(f"{seed}.png", drawn_png(seed, 1)) for seed in range(30)], ("broken.png", b"no image"), field="#files"
    )

    expect(page.locator("#report-words")).to_have_text("31 files sent")
    assert _count(page, "Accepted") == 30
    assert _count(page, "Refused") == 1
    expect(page.locator("#report-rows tr")).to_have_count(1)
    expect(page.locator("#report-rows tr")).to_contain_text("broken.png")
    expect(page.locator("#overview-note")).to_have_text("30 images, 30 since the last run")
    expect(page.locator("#images-list .image")).to_have_count(30)
    expect(page.locator("#images-list img").first).to_be_visible()
    drawn = page.evaluate("Chart.getChart('overview-chart').data.datasets.map(({ data }) => data)")
    assert drawn == [[30]]


def test_a_zip_with_a_folder_a_class_is_added_and_a_contradiction_waits(page: Page) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for seed in range(100, 105):
            archive.writestr(f"adenocarcinoma/{seed}.png", drawn_png(seed, 0))
        archive.writestr("adenocarcinoma/contradiction.png", drawn_png(3, 1))
    drop(page, packed.getvalue(), "labelled.zip", "#landing")

    expect(page.locator("#report-words")).to_have_text("1 file sent")
    assert _count(page, "Accepted") == 5
    assert _count(page, "In quarantine") == 1
    expect(page.locator("#report-rows tr")).to_contain_text("labelled.zip · 6")
    doubt = page.locator(".doubt")
    expect(doubt).to_have_count(1)
    expect(doubt.locator(".reasons")).to_contain_text("normal")
    expect(doubt.locator("img")).to_have_count(2)  # the two that contradict each other, side by side
    expect(doubt.get_by_alt_text("The image it is compared with")).to_be_visible()


def test_what_waits_is_relabelled_and_released_or_deleted(page: Page) -> None:
    doubt = page.locator(".doubt")
    expect(doubt).to_have_count(1)
    doubt.get_by_label("It shows").select_option("normal")
    doubt.get_by_role("button", name="Release").click()
    expect(doubt.or_(page.locator("#quarantine-state .state"))).to_be_visible()
    if doubt.count():  # a contradiction that cannot be released so says why, and can still be deleted
        expect(doubt.get_by_role("alert")).to_be_visible()
        doubt.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("#quarantine-state")).to_contain_text("Nothing waits")
    expect(page.locator("#quarantine-note")).to_contain_text("waits here for a person")


def test_images_are_shown_by_class_and_status(page: Page) -> None:
    page.locator("#class_name").select_option("adenocarcinoma")
    expect(page.locator("#images-list .image")).to_have_count(5)
    page.locator("#class_name").select_option("")
    page.locator("#status").select_option("quarantined")
    expect(page.locator("#images-state")).to_contain_text("None fits these filters")


def test_a_label_that_is_no_class_is_refused_in_words(page: Page) -> None:
    page.get_by_label("Class", exact=True).first.fill("<script>alert(1)</script>")
    choose(page, ("a.png", drawn_png(900, 1)), field="#files")
    expect(page.locator("#report-words")).to_have_text("1 file sent")
    expect(page.locator("#report-rows tr")).to_have_count(1)
    assert _count(page, "Accepted") == 0
    assert page.locator("main script").count() == 0


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_it_has_no_serious_faults(page: Page, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 800})
    page.get_by_label("Class", exact=True).first.fill("adenocarcinoma")
    choose(page, ("again.png", drawn_png(4, 1)), ("<b>broken</b>.png", b"no image"), field="#files")
    expect(page.locator("#report-rows")).to_contain_text("<b>broken</b>.png")
    expect(page.locator("#images-list img").first).to_be_visible()
    assert serious_faults(page) == []
    assert page.evaluate(OVERFLOW) <= 0


def test_the_report_of_an_upload_is_readable_on_a_narrow_screen(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    choose(page, ("a-file-of-a-long-name-from-the-archive.png", b"no image"), field="#files")
    name = page.locator("#report-rows th").bounding_box()
    assert name is not None
    assert name["width"] > 200
    assert page.evaluate(CUT_OFF) == []
