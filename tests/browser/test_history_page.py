"""The history in a real browser: found, filtered, paged through 100,000 predictions, exported."""

from __future__ import annotations

import csv
import io
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from page_actions import choose
from playwright.sync_api import Page, expect

from hilum.services.state import StatePlaces, prepare
from hilum.storage import predictions
from hilum.storage.predictions import StoredPrediction
from server_process import running_server

log = logging.getLogger(__name__)

_MANY, _AT_ONCE = 100_000, 10_000
_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_CLASSES = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")


def _stored(number: int) -> StoredPrediction:
    name = _CLASSES[number % 4]
    answer = {
        "id": str(uuid.UUID(int=number)), "predicted_class": name, "probabilities": dict.fromkeys(_CLASSES, 0.25),
        "decision": "review", "prediction_set": [name], "warnings": [], "model_version": "m", "latency_ms": 1.0,
        "cancer_probability": 0.5,
    }  # fmt: skip
    moment = _NOON + timedelta(seconds=number)
    return StoredPrediction(
        uuid.UUID(int=number), moment, f"{number:064x}", False, name, "review", "m", 1.0, answer, "0" * 64
    )


@pytest.fixture(scope="module")
def origin(built_pages: None, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server with 100,000 predictions answers."""
    folder = tmp_path_factory.mktemp("history")
    places = StatePlaces(folder / "home")
    prepare(places)
    with closing(places.open_database()) as database, database.writing() as connection:
        predictions.add_provenance(connection, "0" * 64, {})
        for start in range(0, _MANY, _AT_ONCE):
            predictions.add(connection, [_stored(number) for number in range(start, start + _AT_ONCE)])
    with running_server(tiny_bundle, folder / "server.log") as server:
        yield f"http://localhost:{server.port}"


@pytest.fixture
def page(blank: Page, origin: str) -> Page:
    """The history."""
    blank.goto(f"{origin}/history")
    return blank


def test_pages_go_forth_and_back_without_a_pause(page: Page) -> None:
    expect(page.locator("#history-rows tr")).to_have_count(50)
    first = page.locator("#history-rows a").first.get_attribute("href")
    started_at = time.monotonic()
    for number in range(1, 21):
        page.get_by_role("button", name="Older").click()
        expect(page.locator("#page-number")).to_have_text(f"{number * 50 + 1:,} to {number * 50 + 50:,}")
    log.info("a page of %d predictions after %.0f ms", _MANY, (time.monotonic() - started_at) / 20 * 1000)
    for _ in range(20):
        page.get_by_role("button", name="Newer").click()
    expect(page.locator("#page-number")).to_have_text("1 to 50")
    expect(page.get_by_role("button", name="Newer")).to_be_disabled()
    assert page.locator("#history-rows a").first.get_attribute("href") == first


def test_a_double_click_turns_one_page(page: Page) -> None:
    expect(page.locator("#history-rows tr")).to_have_count(50)
    page.locator("#older").evaluate("(button) => { button.click(); button.click(); }")
    expect(page.locator("#page-number")).to_have_text("51 to 100")
    page.get_by_role("button", name="Newer").click()
    expect(page.locator("#page-number")).to_have_text("1 to 50")


def test_two_quick_clicks_on_newer_turn_two_pages(page: Page) -> None:
    for shown in ("51 to 100", "101 to 150"):
        page.get_by_role("button", name="Older").click()
        expect(page.locator("#page-number")).to_have_text(shown)
    page.locator("#newer").evaluate("(button) => { button.click(); button.click(); button.click(); }")
    expect(page.locator("#page-number")).to_have_text("1 to 50")
    expect(page.get_by_role("button", name="Newer")).to_be_disabled()


def test_going_back_leads_to_the_page_that_was_left(page: Page) -> None:
    page.get_by_role("button", name="Older").click()
    expect(page.locator("#page-number")).to_have_text("51 to 100")
    page.locator("#history-rows a").first.click()
    expect(page.locator("#result")).to_be_visible()
    page.go_back()
    expect(page.locator("#page-number")).to_have_text("51 to 100")
    page.reload()
    expect(page.locator("#page-number")).to_have_text("51 to 100")
    page.get_by_label("Answer").select_option("normal")
    expect(page.locator("#page-number")).to_have_text("1 to 50")


def test_filters_live_in_the_address_and_reach_the_export(page: Page, origin: str) -> None:
    page.get_by_label("Answer").select_option("normal")
    page.get_by_label("Until").fill("2026-01-01")
    expect(page.locator("#history-rows tr")).to_have_count(50)
    expect(page.locator("#history-rows tr").first).to_contain_text("Normal")
    assert "predicted_class=normal" in page.url
    page.get_by_label("From").fill("2026-01-01")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert {row["predicted_class"] for row in rows} == {"normal"}
    assert len(rows) > 1000
    page.reload()
    expect(page.get_by_label("Answer")).to_have_value("normal")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator("#history-rows tr").first).to_contain_text("Squamous cell carcinoma")


def test_one_is_found_by_the_beginning_of_its_id_or_hash(page: Page) -> None:
    for sought in (f"{uuid.UUID(int=77_777)}", f"{77_777:064x}"):
        page.get_by_label("Find by id or SHA-256").fill(sought)
        expect(page.locator("#history-rows tr")).to_have_count(1)
        expect(page.locator("#history-rows a")).to_have_attribute("href", f"/?prediction={uuid.UUID(int=77_777)}")
    page.get_by_label("Find by id or SHA-256").fill("ffffffff")
    expect(page.locator("#history-state")).to_contain_text("Nothing matches")


def test_a_row_opens_its_prediction_and_feedback_can_be_filtered(page: Page, origin: str, slice_png: bytes) -> None:
    page.goto(origin)
    choose(page, ("slice.png", slice_png))
    page.locator(".verdict-choice").last.click()
    expect(page.locator("#verdict-note")).to_contain_text("corrected")
    stored = page.locator("#prediction-id").text_content()
    page.goto(f"{origin}/history")
    page.get_by_label("Feedback").select_option("differs")
    expect(page.locator("#history-rows tr")).to_have_count(1)
    expect(page.locator("#history-rows img")).to_be_visible()
    page.locator("#history-rows a").click()
    expect(page.locator("#prediction-id")).to_have_text(stored or "")
    expect(page.locator("#verdict-note")).to_contain_text("corrected")


def test_a_history_out_of_reach_can_be_asked_again(page: Page) -> None:
    gone = {"code": "history-unavailable", "title": "The history cannot be reached", "detail": "try again"}
    page.route("**/predictions?*", lambda route: route.fulfill(status=409, json=gone))
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("The history cannot be reached")
    page.unroute("**/predictions?*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#history-rows tr")).to_have_count(50)


def test_the_first_start_leads_on(page: Page) -> None:
    page.route("**/predictions?*", lambda route: route.fulfill(json={"items": [], "next": None}))
    page.reload()
    expect(page.locator("#history-state")).to_contain_text("No predictions yet")
    expect(page.get_by_role("link", name="Classify a slice")).to_be_visible()
