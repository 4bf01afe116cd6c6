"""The page about training: what it sends, how it follows a run's events, and what it shows of past ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from page_actions import CUT_OFF, OVERFLOW, serious_faults
from playwright.sync_api import Page, Route, expect

_NOTE = "<script>alert('note')</script>"
_BASE: dict[str, Any] = {
    "mode": "head",
    "policy": "auto",
    "note": "",
    "created_at": "2026-11-26T09:00:00Z",
    "started_at": None,
    "ended_at": None,
    "stage": None,
    "progress": 0.0,
    "seconds_left": None,
    "epochs": [],
    "snapshot_digest": "a" * 64,
    "n_images": 613,
    "parent_version": "efficientnet-lite0",
    "model_version": None,
    "cancel_requested_at": None,
    "report": None,
    "failure": None,
}


def _run(number: int, status: str, **changes: Any) -> dict[str, Any]:
    return _BASE | {"id": f"00000000-0000-4000-8000-{number:012d}", "status": status} | changes


def _epochs(count: int) -> list[dict[str, float]]:
    return [
        {
            "epoch": n + 1,
            "loss": 1 / (n + 1),
            "accuracy": 0.6 + 0.03 * n,
            "val_loss": 1.1 / (n + 1),
            "val_accuracy": 0.6 + 0.02 * n,
        }
        for n in range(count)
    ]


_STARTED = "2026-11-26T09:00:01Z"
_CHECK = {
    "name": "accuracy",
    "passed": True,
    "detail": "no worse",
    "champion": 0.95,
    "challenger": 0.96,
    "margin": 0.03,
}
_QUEUED = _run(3, "queued", note=_NOTE)
_FITTING = _run(
    3, "running", note=_NOTE, started_at=_STARTED, stage="fit", progress=0.4, seconds_left=83, epochs=_epochs(4)
)
_PROMOTED = _FITTING | {
    "status": "promoted",
    "ended_at": "2026-11-26T09:02:01Z",
    "progress": 1.0,
    "epochs": _epochs(8),
    "seconds_left": None,
    "model_version": "challenger-1",
    "report": {"verdict": "promote", "checks": [_CHECK]},
}
_PAST = [
    _run(
        2, "failed", started_at=_STARTED, ended_at="2026-11-26T09:05:00Z", epochs=_epochs(2), failure="the disk is full"
    ),
    _run(1, "refused", mode="full", started_at=_STARTED, ended_at="2026-11-26T11:00:00Z", epochs=_epochs(6)),
]


def _events(*runs: dict[str, Any]) -> str:
    return "".join(f"event: run\ndata: {json.dumps(run)}\n\n" for run in runs)


@pytest.fixture
def page(blank: Page, origin: str) -> Page:
    """The page about training, two runs past."""
    blank.route("**/training-runs?*", lambda route: route.fulfill(json={"items": _PAST, "next": None}))
    blank.goto(f"{origin}/training")
    return blank


def _stream(page: Page, *runs: dict[str, Any]) -> None:
    page.route(
        "**/training-runs/*/events", lambda route: route.fulfill(content_type="text/event-stream", body=_events(*runs))
    )


def test_a_run_is_started_with_defaults_and_followed_to_its_end(page: Page) -> None:
    asked: list[Any] = []

    def answer(route: Route) -> None:
        asked.append(route.request.post_data_json)
        route.fulfill(status=202, json=_QUEUED)

    page.route("**/retrain", answer)
    _stream(page, _QUEUED, _FITTING, _PROMOTED)
    page.get_by_label("Note").fill(_NOTE)
    page.get_by_role("button", name="Start training").click()

    expect(page.locator("#run-status")).to_have_text("Promoted")
    assert asked == [{"mode": "head", "note": _NOTE}]
    expect(page.locator("#run-facts")).to_contain_text(_NOTE)
    assert page.locator("#run-facts script").count() == 0
    losses = page.evaluate("Chart.getChart('run-loss').data.datasets.map(({ data }) => data.length)")
    assert losses == [8, 8]
    expect(page.locator("#run-left")).to_have_text("Took 2\u00a0min 0\u00a0s")
    expect(page.locator("#run-report .checks tbody tr")).to_have_count(1)
    expect(page.get_by_role("link", name="Compare the models")).to_have_attribute(
        "href", "/registry?model=challenger-1"
    )


def test_a_run_under_way_tells_stage_and_time_left_and_can_be_cancelled(page: Page) -> None:
    page.route("**/training-runs?*", lambda route: route.fulfill(json={"items": [_FITTING, *_PAST], "next": None}))
    _stream(page, _FITTING)
    cancelled = _FITTING | {"cancel_requested_at": "2026-11-26T09:01:00Z"}
    page.route("**/cancel", lambda route: route.fulfill(status=202, json=cancelled))
    page.reload()

    expect(page.locator("#run-stage")).to_have_text("Learning")
    expect(page.locator("#run-left")).to_have_text("40\u00a0%, about 1\u00a0min 23\u00a0s left")
    page.unroute("**/training-runs/*/events")
    _stream(page, cancelled)
    page.get_by_role("button", name="Cancel run").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the run").click()
    expect(page.locator("#run-stage")).to_have_text("Cancelling…")
    expect(page.get_by_role("button", name="Cancel run")).to_be_hidden()


def test_what_awaits_approval_can_be_declined(page: Page) -> None:
    awaiting = _PROMOTED | {"status": "awaiting-approval"}
    declined = awaiting | {"status": "refused", "failure": "a person declined it"}
    answers = iter([awaiting, declined])
    page.unroute("**/training-runs?*")
    page.route("**/training-runs?*", lambda route: route.fulfill(json={"items": [next(answers), *_PAST], "next": None}))
    page.route("**/decline", lambda route: route.fulfill(json=declined))
    page.reload()

    expect(page.locator("#run-status")).to_have_text("Awaiting approval")
    page.get_by_role("button", name="Decline").click()
    expect(page.get_by_role("dialog")).to_contain_text("challenger-1 will not be promoted")
    with page.expect_request("**/decline") as told:
        page.get_by_role("dialog").get_by_role("button", name="Decline it").click()
    assert told.value.url.endswith(f"/training-runs/{awaiting['id']}/decline")
    expect(page.locator("#run-status")).to_have_text("Not promoted")
    expect(page.locator("#run-failure")).to_have_text("A person declined it.")
    expect(page.get_by_role("button", name="Decline")).to_be_hidden()
    expect(page.locator("#runs-rows tr").first).to_contain_text("Not promoted")


def test_a_run_that_another_decided_on_is_not_declined(page: Page) -> None:
    awaiting = _PROMOTED | {"status": "awaiting-approval"}
    page.route("**/training-runs?*", lambda route: route.fulfill(json={"items": [awaiting], "next": None}))
    problem = {"code": "run-not-awaiting", "title": "The run awaits no decision", "detail": "the run is promoted"}
    page.route("**/decline", lambda route: route.fulfill(status=409, json=problem))
    page.reload()
    page.get_by_role("button", name="Decline").click()
    page.get_by_role("dialog").get_by_role("button", name="Decline it").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text(
        "The run awaits no decision. The run is promoted."
    )


def test_past_runs_are_compared(page: Page) -> None:
    expect(page.locator("#run-failure")).to_have_text("The disk is full.")
    expect(page.locator("#runs-rows tr").first).to_contain_text("62.0\u00a0% (epoch 2)")
    for box in page.locator(".compare-box").all():
        box.check()
    curves = page.evaluate("Chart.getChart('compare-accuracy').data.datasets.map(({ data }) => data.map(({ y }) => y))")
    assert [len(curve) for curve in curves] == [2, 6]
    assert curves[1] == pytest.approx([0.6, 0.62, 0.64, 0.66, 0.68, 0.7])


def test_too_little_data_leads_to_the_data(page: Page) -> None:
    problem = {
        "code": "training-data-insufficient",
        "title": "There is too little to learn from",
        "detail": "normal has 2",
    }
    page.route("**/retrain", lambda route: route.fulfill(status=409, json=problem))
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("alert")).to_contain_text("There is too little to learn from")
    expect(page.get_by_role("link", name="Add labelled images")).to_have_attribute("href", "/data")


def test_the_first_start_is_designed(page: Page) -> None:
    page.route("**/training-runs?*", lambda route: route.fulfill(json={"items": [], "next": None}))
    page.reload()
    expect(page.locator("#run-state")).to_contain_text("Start one with the defaults")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_it_has_no_serious_faults(page: Page, scheme: str, width: int) -> None:
    awaiting = _PROMOTED | {"id": "awaiting", "status": "awaiting-approval"}
    page.route(
        "**/training-runs?*", lambda route: route.fulfill(json={"items": [_PROMOTED, awaiting, *_PAST], "next": None})
    )
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 800})
    page.reload()
    expect(page.locator("#run-report .checks")).to_be_visible()
    page.locator(".compare-box").first.check()
    assert serious_faults(page) == []
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate(CUT_OFF) == []
