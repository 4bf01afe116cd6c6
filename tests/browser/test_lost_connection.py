"""What pages say, keep and try again when the server stops answering in the middle of their work."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from page_actions import choose
from playwright.sync_api import BrowserContext, Dialog, Page, Route, expect

_RUN: dict[str, Any] = {
    "id": "r1", "status": "running", "mode": "head", "policy": "auto", "note": "", "created_at": "2026-11-26T09:00:00Z",
    "started_at": "2026-11-26T09:00:01Z", "ended_at": None, "stage": "fit", "progress": 0.4, "seconds_left": 83,
    "n_images": 40, "epochs": [], "parent_version": "m", "model_version": None, "failure": None, "report": None,
    "cancel_requested_at": None,
}  # fmt: skip


@pytest.fixture
def page(context: BrowserContext, reference_server: str) -> Page:
    """A page whose console is not watched, since the browser logs every request that fails."""
    page = context.new_page()
    page.goto(reference_server)
    return page


def test_slices_that_were_not_sent_are_sent_again(page: Page, slice_png: bytes) -> None:
    page.route("**/predict?*", lambda route: route.abort())
    choose(page, *[(f"slice-{number}.png", slice_png) for number in range(3)])
    expect(page.locator("#queue-summary")).to_have_text("3 of 3 · 3 not classified")
    expect(page.locator("#refusal-title")).to_have_text("The server does not answer")
    page.unroute("**/predict?*")
    page.get_by_role("button", name="Try all 3 again").click()
    expect(page.locator("#queue-summary")).to_have_text("3 of 3 · 3 to review")
    expect(page.locator("#result")).to_be_visible()


def test_a_slice_that_was_refused_is_not_offered_again(page: Page, slice_png: bytes) -> None:
    choose(page, ("broken.png", slice_png[:200]))
    expect(page.locator("#refusal")).to_be_visible()
    expect(page.locator("#refusal-again")).to_be_hidden()


def _accept(route: Route) -> None:
    sent = len(re.findall(rb'name="files"', route.request.post_data_buffer or b""))
    item = {"status": "accepted", "reasons": [], "code": None, "other_image_id": None}
    route.fulfill(json={"items": [item | {"index": index} for index in range(sent)]})


def test_an_upload_says_what_was_not_sent_and_sends_the_rest(page: Page, reference_server: str) -> None:
    page.goto(f"{reference_server}/data")
    page.route("**/upload-data", _accept)
    page.route("**/upload-data", lambda route: route.abort(), times=1)  # routes added later are asked first
    page.route("**/upload-data", _accept, times=1)
    choose(page, *[(f"{number}.png", b"picture") for number in range(45)], field="#files")
    expect(page.locator("#report-words")).to_have_text("The server does not answer: 20 of 45 files sent")
    expect(page.locator("#report-counts div", has_text="Accepted").locator("dd")).to_have_text("20")
    expect(page.locator("#report-counts div", has_text="Refused").locator("dd")).to_have_text("0")
    page.get_by_role("button", name="Send the other 25").click()
    expect(page.locator("#report-words")).to_have_text("25 files sent")
    expect(page.locator("#report-counts div", has_text="Accepted").locator("dd")).to_have_text("25")


def test_leaving_in_the_middle_of_an_upload_is_asked_first(page: Page, reference_server: str) -> None:
    asked: list[Dialog] = []
    page.on("dialog", lambda dialog: (asked.append(dialog), dialog.dismiss()))
    page.goto(f"{reference_server}/data")
    page.get_by_label("Class", exact=True).first.fill("normal")
    page.evaluate("window.isSame = true")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/upload-data", hold)
    choose(page, ("1.png", b"picture"), field="#files")
    expect(page.locator("#report-words")).to_have_text("0 of 1 file sent")
    page.get_by_role("link", name="History").click(no_wait_after=True)
    page.wait_for_timeout(300)
    assert [one.type for one in asked] == ["beforeunload"]
    assert page.evaluate("window.isSame")
    _accept(held[0])
    expect(page.locator("#report-words")).to_have_text("1 file sent")
    page.get_by_role("link", name="History").click()
    expect(page).to_have_url(re.compile("/history$"))
    assert len(asked) == 1


def test_a_run_whose_events_break_off_is_said_to_be_old_and_followed_again(page: Page, reference_server: str) -> None:
    page.route("**/training-runs?*", lambda route: route.fulfill(json={"items": [_RUN], "next": None}))
    page.route("**/events", lambda route: route.fulfill(status=503, json={}))
    page.goto(f"{reference_server}/training")
    expect(page.locator("#run-connection")).to_contain_text("The connection is lost")
    ended = _RUN | {"status": "cancelled", "ended_at": "2026-11-26T09:01:00Z"}
    page.unroute("**/events")
    body = f"event: run\ndata: {json.dumps(ended)}\n\n"
    page.route("**/events", lambda route: route.fulfill(content_type="text/event-stream", body=body))
    expect(page.locator("#run-status")).to_have_text("Cancelled")
    expect(page.locator("#run-connection")).to_be_hidden()


def test_runs_out_of_reach_are_not_called_none(page: Page, reference_server: str) -> None:
    page.route("**/training-runs?*", lambda route: route.abort())
    page.goto(f"{reference_server}/training")
    expect(page.locator("#runs-state")).to_contain_text("The server does not answer")
    expect(page.locator("#run-state")).to_have_text("Shown once the runs can be read.")
    page.unroute("**/training-runs?*")
    page.locator("#runs-state").get_by_role("button", name="Try again").click()
    expect(page.locator("#run-state")).to_contain_text("No run yet")


def test_the_page_about_data_says_that_it_loads_while_the_model_is_silent(page: Page, reference_server: str) -> None:
    def hold(route: Route) -> None:
        if route.request.resource_type != "fetch":
            route.continue_()

    page.route("**/*", hold)
    page.goto(f"{reference_server}/data")
    for part in ("overview", "quarantine", "images"):
        expect(page.locator(f"#{part}-state .state-loading")).to_be_visible()
