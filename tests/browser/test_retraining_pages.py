"""From labelled slices to a promoted model and back, by clicks alone: a real server, a real worker, a real run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from page_actions import IS_DRAWN, OVERFLOW, choose, drop, serious_faults
from playwright.sync_api import Page, expect
from retraining_server import labelled_zip, retraining_server

from journey_client import until_served
from labelled_samples import drawn_png
from server_process import RunningServer

if find_spec("keras") is None:  # which the worker loads, not this process
    pytest.skip("the training packages are not installed", allow_module_level=True)

_PATIENCE_MS = 420_000
_ENDED = "Promoted|Not promoted|Failed|Cancelled|Awaiting approval"
_WATCH = """
() => {
  window.seen = [];
  const text = (id) => document.getElementById(id).textContent;
  const points = () => Chart.getChart("run-loss")?.data.datasets[0].data.length ?? 0;
  setInterval(() => {
    window.seen.push([text("run-status"), text("run-stage"), text("run-left"), points()]);
  }, 100);
}
"""
_IS_SHOWN = "one => one.complete && one.naturalWidth > 0"


@pytest.fixture(scope="module")
def server(built_pages: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with a worker; the tests of this module tell one story, in their order."""
    with retraining_server(tmp_path_factory.mktemp("retraining")) as server:
        yield server


@pytest.fixture
def origin(server: RunningServer) -> str:
    """Where it answers."""
    return f"http://localhost:{server.port}"


@pytest.fixture
def page(blank: Page, origin: str) -> Page:
    """The page about training."""
    blank.goto(f"{origin}/training")
    return blank


def _start(page: Page, note: str) -> None:
    page.get_by_label("Note").fill(note)
    page.get_by_text("More choices").click()
    page.get_by_label("Epochs, at most").fill("6")
    page.get_by_label("Who decides on promotion").select_option("manual")
    page.get_by_role("button", name="Start training").click()


def test_without_labelled_slices_the_page_leads_to_them(page: Page) -> None:
    expect(page.locator("#data-note")).to_contain_text("There are no labelled images yet")
    page.get_by_role("link", name="Add your own").click()
    expect(page).to_have_url(re.compile("/data$"))


def test_a_zip_of_labelled_slices_is_taken_in(page: Page, origin: str) -> None:
    page.goto(f"{origin}/data")
    drop(page, labelled_zip(train=8, test=6), "labelled.zip", "#landing")
    expect(page.locator("#overview-note")).to_have_text("56 images, 56 since the last run")


def test_a_run_is_cancelled_while_it_works(page: Page) -> None:
    _start(page, "a mistake")
    expect(page.locator("#run-status")).to_have_text("Running", timeout=_PATIENCE_MS)
    page.get_by_role("button", name="Cancel run").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the run").click()
    expect(page.locator("#run-status")).to_have_text("Cancelled", timeout=_PATIENCE_MS)
    expect(page.locator("#runs-rows tr", has_text="a mistake")).to_contain_text("Cancelled")
    expect(page.get_by_role("button", name="Cancel run")).to_be_hidden()


def test_a_run_is_followed_live_to_its_end(page: Page) -> None:
    _start(page, "drawn slices")
    expect(page.locator("#run-status")).to_have_text(re.compile("Queued|Running"))
    page.evaluate(_WATCH)
    expect(page.locator("#run-status")).to_have_text(re.compile(_ENDED), timeout=_PATIENCE_MS)
    expect(page.locator("#run-status")).to_have_text("Awaiting approval")
    seen: list[tuple[str, str, str, int]] = page.evaluate("() => window.seen")
    under_way = [one for one in seen if one[0] == "Running"]
    stages = list(dict.fromkeys(stage for _, stage, _, _ in under_way))
    assert "Taking features" in stages
    assert stages[-1] in {"Comparing with the champion", "Keeping the model", "Deciding on promotion"}
    assert any(re.search(r"\d\s% *, about .+ left", left.replace("\u00a0", " ")) for _, _, left, _ in under_way)
    assert max(points for _, _, _, points in under_way) >= 2  # curves while it works, not after
    expect(page.locator("#run-report .checks tbody tr")).not_to_have_count(0)
    expect(page.locator("#run-left")).to_have_text(re.compile("^Took "))


def test_past_runs_stand_side_by_side(page: Page) -> None:
    rows = page.locator("#runs-rows tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("drawn slices")
    expect(rows.last).to_contain_text("Cancelled")
    rows.first.get_by_role("checkbox").check()
    curves = page.evaluate("Chart.getChart('compare-loss').data.datasets.map(({ data }) => data.length)")
    assert curves == [int(rows.first.locator("td").nth(3).text_content() or 0)]


def _chosen_model(page: Page, origin: str) -> str:
    page.goto(f"{origin}/registry")
    expect(page.locator("#models-rows tr")).to_have_count(2)
    return page.locator("#right").input_value()


def test_the_gates_report_shows_the_flipped_images(page: Page, origin: str) -> None:
    _chosen_model(page, origin)
    expect(page.locator("#gate .checks tbody tr").first).to_be_visible()
    expect(page.locator("#flipped")).to_contain_text("answered differently")
    expect(page.locator(".flip img").first).to_be_visible()
    for picture in page.locator(".flip img").all():
        picture.scroll_into_view_if_needed()
        page.wait_for_function(_IS_SHOWN, arg=picture.element_handle())
    assert page.locator(".flip .no-picture").count() == 0
    for scheme, width in (("light", 1280), ("dark", 360)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 800})
        assert serious_faults(page) == []
        assert page.evaluate(OVERFLOW) <= 0


def _answered_by(page: Page, origin: str) -> Any:
    page.goto(origin)
    choose(page, ("slice.png", drawn_png(77, 2)))
    expect(page.locator("#result")).to_be_visible()
    page.wait_for_function(IS_DRAWN, arg="heat")
    return page.locator("#model").text_content()


def test_the_challenger_answers_once_promoted_and_no_more_once_rolled_back(
    page: Page, origin: str, server: RunningServer
) -> None:
    challenger = _chosen_model(page, origin)
    champion = page.locator("#left").input_value()
    assert _answered_by(page, origin) == champion

    page.goto(f"{origin}/registry")
    page.get_by_role("button", name=f"Promote {challenger}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"{challenger} answers every prediction")
    expect(dialog).to_contain_text(f"{champion} no longer answers")
    dialog.get_by_role("button", name="Promote", exact=True).click()
    expect(page.locator("#models-rows tr", has_text=challenger)).to_contain_text("Champion")
    until_served(server, challenger)
    assert _answered_by(page, origin) == challenger
    _look_into_the_confusion_matrix(page, origin)

    page.goto(f"{origin}/registry")
    page.get_by_role("button", name="Roll back").click()
    expect(dialog).to_contain_text(f"{champion} answers every prediction again")
    dialog.get_by_role("button", name="Roll back").click()
    expect(page.locator("#models-rows tr", has_text=champion)).to_contain_text("Champion")
    until_served(server, champion)
    assert _answered_by(page, origin) == champion


def _look_into_the_confusion_matrix(page: Page, origin: str) -> None:
    """The measured images of a cell are the labelled ones of this server, so that their pictures are shown."""
    page.goto(f"{origin}/performance")
    cell = page.locator(".cell").filter(has_not_text=re.compile("^0")).first
    cell.click()
    shown = page.locator(".measured img")
    expect(shown).to_have_count(int((cell.text_content() or "").split()[0]))
    page.wait_for_function(_IS_SHOWN, arg=shown.first.element_handle())
    expect(page.locator("#confusion-slices")).to_contain_text("of the measurement (test)")


def test_automation_is_set_and_says_what_its_triggers_see(page: Page) -> None:
    images = page.locator("[data-trigger='after_images']")
    expect(images).to_contain_text("Now 0")
    images.get_by_label("New labelled images").fill("20")
    page.get_by_label("Answers that people corrected").fill("12.5")
    page.get_by_label("Suggest it here").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#automation-note")).to_have_text("Saved, for every server.")
    page.reload()
    expect(page.get_by_label("Suggest it here")).to_be_checked()
    expect(page.get_by_label("New labelled images")).to_have_value("20")
    expect(page.get_by_label("Answers that people corrected")).to_have_value("12.5")
    expect(page.get_by_label("Drift of recent slices")).to_have_value("")
