"""A series in a real browser before the reference model: in order, summed up, looked through, and reported on."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pydicom
import pytest
from page_actions import IS_DRAWN, OVERFLOW, choose, serious_faults
from playwright.sync_api import Page, expect

from series_files import series_slice, zip_of

_SCRAMBLED = (2, 0, 5, 3, 1, 4)


@pytest.fixture
def page(blank: Page, origin: str) -> Page:
    """The page about a series."""
    blank.goto(f"{origin}/study")
    return blank


def _read(page: Page) -> None:
    choose(page, ("series.zip", zip_of([series_slice(number) for number in _SCRAMBLED])))
    expect(page.locator("#study")).to_be_visible()
    page.wait_for_function(IS_DRAWN, arg="slice")


def test_the_slices_of_a_zip_stand_in_their_order_with_what_they_say_together(page: Page) -> None:
    expect(page.locator("#study-state")).to_contain_text("Give it one series")
    _read(page)
    names = page.locator("#slices-list .queue-name").all_text_contents()
    assert names == [f"Slice {_SCRAMBLED.index(number) + 1} · {2.5 * number:.1f}\u00a0mm" for number in range(6)]
    expect(page.locator("#study-note")).to_contain_text("most suspicious 3 of 6 answered slices")
    expect(page.locator("#study-warnings")).to_be_hidden()
    points = page.evaluate("Chart.getChart('profile').data.datasets[0].data")
    assert [point["x"] for point in points] == [2.5 * number for number in range(6)]
    shown = [text.strip() for text in page.locator(".suspect strong").all_text_contents()]
    highest = sorted((point["y"] for point in points), reverse=True)[:3]
    assert shown == [f"{value * 100:.1f}\u00a0%" for value in highest]


def test_long_file_names_leave_the_positions_readable(page: Page) -> None:
    choose(page, *[("1.2.840.113619.2.55." * 4 + f"{number}.dcm", series_slice(number)) for number in range(3)])
    expect(page.locator("#study")).to_be_visible()
    listed, place = page.locator("#slices-list").bounding_box(), page.locator(".queue-place").last.bounding_box()
    assert listed is not None
    assert place is not None
    assert place["x"] + place["width"] <= listed["x"] + listed["width"]


def test_the_most_suspicious_slice_is_shown_first_and_others_by_click_and_key(page: Page) -> None:
    _read(page)
    expect(page.locator(".suspect").first).to_have_attribute("aria-current", "true")
    page.locator("#slices-list button").first.click()
    expect(page.locator("#slice-words")).to_contain_text("Slice 1 of 6, 0.0\u00a0mm")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#slice-words")).to_contain_text("Slice 2 of 6, 2.5\u00a0mm")
    page.locator(".suspect").nth(1).click()
    expect(page.locator(".suspect").nth(1)).to_have_attribute("aria-current", "true")
    box = page.locator("#profile").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 12, box["y"] + box["height"] / 2)
    expect(page.locator("#slice-words")).to_contain_text("Slice 6 of 6, 12.5\u00a0mm")
    page.get_by_label("Window", exact=True).select_option("Lung")
    expect(page.locator("#windowed")).to_be_visible()
    page.get_by_role("link", name="Open this slice").click()
    expect(page.locator("#verdict-choices button").first).to_be_enabled()


def test_the_series_is_taken_along_as_a_dicom_report_and_as_a_table(page: Page) -> None:
    _read(page)
    with page.expect_download() as report:
        page.get_by_role("button", name="DICOM report").click()
    written = pydicom.dcmread(report.value.path())
    assert written.Modality == "SR"
    assert written.PatientName == "DOE^JANE-19610704"
    with page.expect_download() as table:
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(table.value.path()).read_text())))
    assert [float(row["position_mm"]) for row in rows] == [2.5 * number for number in range(6)]


def test_two_series_and_a_file_that_is_none_are_told_apart(page: Page, slice_png: bytes) -> None:
    files = [(f"{number}.dcm", series_slice(number)) for number in range(3)]
    other = [("other.dcm", series_slice(0, patient="ROE^RICHARD"))]
    choose(page, *files, *other, ("<b>broken</b>.png", b"no image"))
    expect(page.locator("#study-warnings")).to_contain_text("several patients")
    expect(page.locator("#study-warnings")).to_contain_text("could not be answered")
    expect(page.locator("#slices-list li").last).to_contain_text("<b>broken</b>.png")
    page.get_by_role("combobox", name="Series").select_option(label="Series 2, 1 slice")
    expect(page.locator("#slices-list .queue-name").first).to_contain_text("other.dcm")
    assert page.locator("#slices-list b").count() == 0


def test_pictures_keep_their_order_and_get_no_report(page: Page, slice_png: bytes) -> None:
    choose(page, ("a.png", slice_png), ("b.png", slice_png))
    expect(page.locator("#study-warnings")).to_contain_text("do not say where their slices lie")
    page.get_by_role("button", name="DICOM report").click()
    expect(page.locator("#report-state")).to_contain_text("report")
    expect(page.locator("#report-state .callout")).to_be_visible()


def test_what_cannot_be_read_says_why(page: Page) -> None:
    choose(page, ("broken.png", b"no image"))
    expect(page.locator("#study-state")).to_contain_text("Not read")
    expect(page.locator("#study")).to_be_hidden()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_it_has_no_serious_faults(page: Page, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 800})
    assert serious_faults(page) == []
    _read(page)
    assert serious_faults(page) == []
    assert page.evaluate(OVERFLOW) <= 0
