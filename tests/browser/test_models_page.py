"""Models in a real browser before a real registry: compared, promoted and rolled back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_actions import OVERFLOW, serious_faults
from playwright.sync_api import Page, Route, expect

from server_process import running_server

_ROOT = Path(__file__).parents[2]
_REFERENCE = "efficientnet-lite0"
_TINY = "tiny-20260101-00000000"
_NAME = "<b>recall</b>"
_MEASURED = json.loads((_ROOT / "models" / "reference" / "metrics.json").read_text())
_ACCURACY = {name: f"{100 * _MEASURED['accuracy'][name]:.1f}\u00a0%" for name in ("value", "low", "high")}
_REPORT = {
    "verdict": "refuse",
    "checks": [
        {
            "name": "accuracy",
            "passed": True,
            "detail": "no worse",
            "champion": 0.95,
            "challenger": 0.96,
            "margin": 0.03,
        },
        {
            "name": f"recall:{_NAME}",
            "passed": False,
            "detail": "5 of 51 <i>lost</i>",
            "champion": 1.0,
            "challenger": 0.9,
            "margin": 0.1,
        },
    ],
    "flipped": [
        {
            "sha256": "0" * 64,
            "image_id": None,
            "true_class": "normal",
            "champion_class": "normal",
            "challenger_class": _NAME,
        },
        {
            "sha256": "1" * 64,
            "image_id": None,
            "true_class": "normal",
            "champion_class": "adenocarcinoma",
            "challenger_class": "normal",
        },
    ],
    "mcnemar": {},
    "by_source": [{"source": "upload", "n": 40, "a": 0.9, "b": 0.85, "value": -0.05, "low": -0.1, "high": 0.0}],
}


@pytest.fixture(scope="module")
def origin(built_pages: None, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server answers whose registry holds two models, the reference model as champion."""
    folder = tmp_path_factory.mktemp("registry")
    with running_server(_ROOT / "models" / "reference", folder / "server.log") as server:
        command = [Path(sys.executable).parent / "hilum", "models", "register", str(tiny_bundle)]
        subprocess.run(command, check=True, env=os.environ | {"HILUM_HOME": str(folder / "home")})
        yield f"http://localhost:{server.port}"


@pytest.fixture
def page(blank: Page, origin: str) -> Page:
    """The page about models."""
    blank.goto(f"{origin}/registry")
    return blank


def test_two_models_stand_side_by_side_with_their_intervals(page: Page) -> None:
    expect(page.locator("#models-rows tr")).to_have_count(2)
    champion = page.locator("#models-rows tr", has_text=_REFERENCE)
    expect(champion).to_contain_text("Champion")
    expect(champion).to_contain_text("Answers here")
    accuracy = page.locator("#compared-rows tr").first
    expect(accuracy).to_contain_text(_ACCURACY["value"])
    expect(accuracy).to_contain_text(f"{_ACCURACY['low']} to {_ACCURACY['high']}")
    expect(accuracy).to_contain_text("other slices")  # and no difference, which would mean nothing
    expect(page.locator("#same-test")).to_contain_text("different slices")


def test_any_two_models_can_be_chosen_and_the_champion_is_marked(page: Page) -> None:
    expect(page.get_by_label("First model")).to_contain_text("(champion)")
    page.get_by_label("First model").select_option(_TINY)
    expect(page.locator("#left-head")).to_have_text(_TINY)
    expect(page.locator("#compared thead th").last).to_have_text("Second less first")


def test_a_promotion_says_what_it_changes_and_can_be_rolled_back(page: Page, origin: str) -> None:
    page.get_by_role("button", name=f"Promote {_TINY}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"{_TINY} answers every prediction")
    expect(dialog).to_contain_text("no longer answers")
    expect(dialog).to_contain_text(f"accuracy {_ACCURACY['value']}")
    expect(dialog).to_contain_text("on 315 slices")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator("#models-rows tr", has_text=_REFERENCE)).to_contain_text("Champion")

    page.get_by_role("button", name=f"Promote {_TINY}").click()
    dialog.get_by_role("button", name="Promote", exact=True).click()
    expect(page.locator("#models-rows tr", has_text=_TINY)).to_contain_text("Champion")
    expect(dialog).to_have_count(0)

    page.get_by_role("button", name="Roll back").click()
    expect(dialog).to_contain_text(f"Roll back to {_REFERENCE}")
    dialog.get_by_role("button", name="Roll back").click()
    expect(page.locator("#models-rows tr", has_text=_REFERENCE)).to_contain_text("Champion")
    expect(page.get_by_role("button", name="Roll back")).to_be_hidden()


def test_a_champion_that_moved_meanwhile_refuses_the_promotion_in_place(page: Page, origin: str) -> None:
    moved = {"code": "champion-moved", "title": "The champion is another by now", "detail": "look again"}
    page.route("**/promote", lambda route: route.fulfill(status=409, json=moved))
    page.get_by_role("button", name=f"Promote {_TINY}").click()
    page.get_by_role("dialog").get_by_role("button", name="Promote", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text("The champion is another by now. Look again.")


def test_a_promotion_under_way_cannot_be_dismissed(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/promote", hold)
    page.get_by_role("button", name=f"Promote {_TINY}").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Promote", exact=True).click()
    expect(dialog.get_by_role("button", name="One moment…")).to_be_disabled()
    expect(dialog.get_by_role("button", name="Cancel")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    with page.expect_request("**/models"):  # the page looks at the registry anew
        held[0].fulfill(json={})
    expect(dialog).to_have_count(0)


def _with_report(route: Route) -> None:
    answer: dict[str, Any] = route.fetch().json()
    same = {"dataset_digest": _MEASURED["dataset_digest"], "split": _MEASURED["split"], "n": 315}
    route.fulfill(
        json=answer | {"report": _REPORT, "card": "# <script>alert(1)</script>", "metrics": answer["metrics"] | same}
    )


@pytest.fixture
def reported(page: Page) -> Page:
    """The page, where the second model was compared by the gate."""
    page.route(f"**/models/{_TINY}", _with_report)
    page.reload()
    expect(page.locator("#gate")).to_contain_text("did not pass")
    return page


def test_on_a_narrow_screen_each_figure_stands_under_its_columns_name(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    row = page.locator("#models-rows tr", has_text=_REFERENCE)
    for name in ("Accuracy", "Macro F1", "Registered"):
        cell = row.locator(f"td[data-label='{name}']")
        expect(cell).to_be_visible()
        shown = cell.evaluate("cell => getComputedStyle(cell, '::before').content")
        assert shown == f'"{name}"'
    heads = (
        page.locator("#compared-rows tr").first.locator("td").evaluate_all("all => all.map((one) => one.dataset.label)")
    )
    assert heads == ["First", "Second", "Second less first"]
    assert page.evaluate(OVERFLOW) <= 0


def test_figures_of_the_same_test_are_subtracted(reported: Page) -> None:
    accuracy = reported.locator("#compared-rows tr").first
    expect(reported.locator("#same-test")).to_contain_text("the same 315 slices")
    expect(accuracy).to_contain_text(f"{91.0 - 100 * _MEASURED['accuracy']['value']:.1f} points")
    expect(accuracy).to_contain_text("intervals overlap")


def test_the_gates_checks_and_flipped_images_are_shown_as_text(reported: Page) -> None:
    expect(reported.locator(".checks tbody tr")).to_have_count(2)
    expect(reported.locator(".checks tbody tr").last).to_contain_text("Failed")
    expect(reported.locator(".checks tbody tr").last).to_contain_text("5 of 51 <i>lost</i>")
    expect(reported.locator("#flipped")).to_contain_text(
        "2 test images are answered differently: 1 now right, 1 now wrong."
    )
    expect(reported.locator(".flip .is-wrong").first).to_have_text("<b>recall</b>")
    expect(reported.locator("#sources")).to_contain_text("-5.0 points")
    expect(reported.locator("#card-text")).to_contain_text("<script>")
    assert reported.locator("#compared b, #compared i, #compared script").count() == 0


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_it_has_no_serious_faults(reported: Page, scheme: str, width: int) -> None:
    reported.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    reported.set_viewport_size({"width": width, "height": 800})
    assert reported.evaluate(OVERFLOW) <= 0
    assert serious_faults(reported) == []
    reported.get_by_role("button", name=f"Promote {_TINY}").click()
    expect(reported.get_by_role("dialog")).to_contain_text("did not pass the gate")
    assert serious_faults(reported) == []


def test_a_registry_out_of_reach_can_be_asked_again(page: Page) -> None:
    gone = {"code": "registry-unavailable", "title": "The registry cannot be reached", "detail": "try again"}
    page.route("**/models", lambda route: route.fulfill(status=409, json=gone))
    page.reload()
    expect(page.locator("#models-state")).to_contain_text("The registry cannot be reached")
    page.unroute("**/models")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#models-rows tr")).to_have_count(2)
