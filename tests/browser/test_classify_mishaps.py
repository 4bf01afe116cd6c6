"""What the page that classifies says and keeps when answers come late, not at all, or pieces of them are missing."""

from __future__ import annotations

from page_actions import CUT_OFF, IS_DRAWN, OVERFLOW, choose
from playwright.sync_api import Page, Route, expect

from hilum.imaging.phantoms import draw_phantom
from hilum.inference.explain import encode_png


def test_a_late_verdict_is_not_shown_beside_another_slice(page: Page, slice_png: bytes) -> None:
    choose(page, ("first.png", slice_png), ("second.png", encode_png(draw_phantom(5))))
    expect(page.locator("#queue-summary")).to_contain_text("2 of 2")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/feedback", hold)
    page.locator(".verdict-choice").nth(1).click()
    expect(page.locator("#verdict-note")).to_have_text("Keeping…")
    page.locator(".queue-item").last.click()
    expect(page.locator("#file-name")).to_have_text("second.png")
    with page.expect_response("**/feedback"):
        held[0].continue_()
    page.wait_for_timeout(200)
    expect(page.locator("#verdict-note")).to_contain_text("One click is kept")
    assert page.locator(".verdict-choice[aria-pressed='true']").count() == 0
    page.locator(".queue-item").first.click()
    expect(page.locator("#verdict-note")).to_contain_text("Kept: you corrected")


def test_a_heat_map_that_does_not_come_is_asked_for_again_or_missed_in_words(page: Page, slice_png: bytes) -> None:
    gone = {"code": "explanation-unavailable", "title": "No map", "detail": "another model gave this answer"}
    page.route("**/explanation", lambda route: route.fulfill(status=409, json=gone))
    choose(page, ("slice.png", slice_png))
    expect(page.locator("#heat-missing")).to_have_text("There is no heat map here. Another model gave this answer.")
    expect(page.locator("#heat-control")).to_be_hidden()

    page.unroute("**/explanation")
    page.route("**/explanation", lambda route: route.fulfill(status=429, json=gone), times=1)
    choose(page, ("again.png", slice_png))
    expect(page.locator("#heat-control")).to_be_visible()
    page.wait_for_function(IS_DRAWN, arg="heat")
    expect(page.locator("#heat-missing")).to_be_hidden()


def test_greys_say_that_they_have_no_window(page: Page, slice_png: bytes, origin: str) -> None:
    choose(page, ("slice.png", slice_png))
    expect(page.locator("#result")).to_be_visible()
    stored = page.locator("#prediction-id").text_content()
    page.goto(f"{origin}/?prediction={stored}")
    page.get_by_label("Window", exact=True).select_option("Lung")
    expect(page.locator("#window-note")).to_contain_text("Only DICOM slices have Hounsfield units")
    expect(page.get_by_label("Window", exact=True)).to_have_value("")
    expect(page.locator("#slice")).to_be_visible()


def test_long_names_of_classes_fit_a_narrow_screen(page: Page, slice_png: bytes) -> None:
    long = "pneumonoultramicroscopicsilicovolcanoconiosis_of_the_lower_lobe"

    def rename(route: Route) -> None:
        answer = route.fetch().json()
        names = {long: 0.7, "pneumonoultramicroscopicsilicovolcanoconiosis": 0.2, "normal": 0.1}
        route.fulfill(json=answer | {"predicted_class": long, "probabilities": names, "prediction_set": list(names)})

    page.set_viewport_size({"width": 360, "height": 740})
    page.route("**/predict?*", rename)
    choose(page, ("slice.png", slice_png))
    expect(page.locator("#predicted")).to_contain_text("of the lower lobe")
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate(CUT_OFF) == []
