"""What the audit finds is shown with its pictures side by side: copies, near copies, other crops, two classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from page_actions import OVERFLOW, choose, serious_faults
from playwright.sync_api import Locator, Page, expect

from labelled_samples import copies_of, drawn_png
from server_process import running_server

_IS_SHOWN = "one => one.complete && one.naturalWidth > 0"


@pytest.fixture(scope="module")
def origin(built_pages: None, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server with a state of its own answers; the tests of this module tell one story, in their order."""
    folder = tmp_path_factory.mktemp("findings")
    with running_server(tiny_bundle, folder / "server.log") as server:
        yield f"http://localhost:{server.port}"


@pytest.fixture
def page(blank: Page, origin: str) -> Page:
    """The page about data."""
    blank.goto(f"{origin}/data")
    return blank


def _send(page: Page, label: str, **files: bytes) -> None:
    page.get_by_label("Class", exact=True).first.fill(label)
    choose_images(page, files)
    expect(page.locator("#report-words")).to_have_text(f"{len(files)} file{'s' if len(files) > 1 else ''} sent")


def choose_images(page: Page, files: dict[str, bytes]) -> None:
    """Chooses pictures, which the browser takes for what they are."""
    page.set_input_files(
        "#files",
        [{"name": f"{name}.png", "mimeType": "image/png", "buffer": data} for name, data in files.items()],
    )


def _are_shown(page: Page, pictures: Locator, count: int) -> None:
    expect(pictures).to_have_count(count)
    for picture in pictures.all():
        picture.scroll_into_view_if_needed()
        page.wait_for_function(_IS_SHOWN, arg=picture.element_handle())


def test_a_report_shows_what_was_sent_beside_what_it_repeats(page: Page) -> None:
    _send(page, "normal", first=drawn_png(7, 1), other=drawn_png(9, 1))
    expect(page.locator("#report-rows tr")).to_have_count(0)
    copies = copies_of(7, 1)
    _send(page, "normal", copy=copies["pixels"], near=copies["near"], crop=copies_of(9, 1)["crop"])
    rows = page.locator("#report-rows tr")
    expect(rows).to_have_count(3)
    for number, (status, words) in enumerate(
        [
            ("Known already", "The same image"),
            ("Accepted", "Nearly the same picture"),
            ("Accepted", "under another crop"),
        ]
    ):
        expect(rows.nth(number)).to_contain_text(status)
        expect(rows.nth(number)).to_contain_text(words)
        _are_shown(page, rows.nth(number).locator("img"), 2)


def test_findings_show_their_pairs(page: Page) -> None:
    _send(page, "adenocarcinoma", contradiction=drawn_png(7, 1))
    for words, caption in (
        ("Nearly the same picture as another", "likeness"),
        ("under another crop", "likeness"),
        ("came under one class", "came as normal too"),
    ):
        finding = page.locator(".finding", has_text=words)
        finding.get_by_text("Look at it").click()
        expect(finding.locator("figcaption").first).to_contain_text(caption)
        _are_shown(page, finding.locator(".example-pair").first.locator("img"), 2)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_they_have_no_serious_faults(page: Page, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 800})
    choose(page, ("again.png", copies_of(7, 1)["near"]), field="#files")
    expect(page.locator("#report-rows tr")).to_have_count(1)
    for finding in page.locator(".examples summary").all():
        finding.click()
    assert serious_faults(page) == []
    assert page.evaluate(OVERFLOW) <= 0
