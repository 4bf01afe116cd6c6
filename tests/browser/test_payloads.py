"""Twenty script payloads as names, labels and notes are shown as text on every page that shows them."""

from __future__ import annotations

from typing import Any

from page_actions import choose
from playwright.sync_api import Page, expect

PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<a href='javascript:alert(1)'>x</a>",
    "<math><mtext><img src=x onerror=alert(1)></mtext></math>",
    "<style>@import 'https://evil.example/x.css'</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/>",
    "<object data=https://evil.example/x></object>",
    "<template><script>alert(1)</script></template>",
    '"><script>alert(1)</script>',
    "';alert(1);//",
    "${alert(1)}{{constructor.constructor('alert(1)')()}}",
)
_NOW = "2026-11-26T09:00:00Z"
_MARKUP = "main :is(script, iframe, svg:not(.drop-mark), math, object, style, link, meta, base, template, video)"
_ATTRIBUTES = "main :is([onerror], [onload], [onfocus], [ontoggle], [href^='javascript'])"


def _is_text(page: Page, *wanted: str) -> None:
    expect(page.locator("main")).to_contain_text(wanted[0])
    shown = page.locator("main").text_content() or ""
    assert [payload for payload in wanted if payload not in shown] == []
    assert page.locator(_MARKUP).count() == 0
    assert page.locator(_ATTRIBUTES).count() == 0


def test_names_of_files(page: Page, slice_png: bytes) -> None:
    choose(page, *[(payload, slice_png[:200]) for payload in PAYLOADS])
    expect(page.locator("#queue-summary")).to_have_text("20 of 20 · 20 not classified")
    _is_text(page, *(payload.replace("/", "_") if payload not in _names(page) else payload for payload in PAYLOADS))
    for item in page.locator(".queue-item").all()[:3]:
        item.click()
        expect(page.locator("#file-name")).to_have_text(item.locator(".queue-name").text_content() or "")


def _names(page: Page) -> list[str]:
    return page.locator(".queue-name").all_text_contents()


def test_classes_versions_and_problems_of_an_answer(page: Page, slice_png: bytes) -> None:
    named = dict.fromkeys(PAYLOADS, 1 / len(PAYLOADS))
    answer = {
        "id": "0b9f5f0e-6d0c-4d8e-9d53-0c6f9a5f7f55", "predicted_class": PAYLOADS[0], "probabilities": named,
        "cancer_probability": 0.5, "decision": PAYLOADS[1], "prediction_set": list(PAYLOADS[:3]), "stored": True,
        "warnings": list(PAYLOADS), "model_version": PAYLOADS[2], "latency_ms": 1.0, "training_match": None,
        "look_alikes": [{"class_name": one, "name": one, "source": one, "similarity": 1.0} for one in PAYLOADS],
    }  # fmt: skip
    page.route("**/predict?*", lambda route: route.fulfill(json=answer))
    choose(page, ("slice.png", slice_png))
    expect(page.locator("#result")).to_be_visible()
    assert page.locator("#look-alikes-list .origin").all_text_contents() == [f"{one}: {one}" for one in PAYLOADS]
    assert page.locator("#verdict-choices button").count() == len(PAYLOADS)
    _is_text(page, PAYLOADS[2])

    problem = {"title": PAYLOADS[0], "detail": PAYLOADS[1], "reasons": list(PAYLOADS), "remedy": PAYLOADS[3]}
    page.unroute("**/predict?*")
    page.route("**/predict?*", lambda route: route.fulfill(status=422, json=problem))
    choose(page, ("slice.png", slice_png))
    expect(page.locator("#refusal-title")).to_have_text(PAYLOADS[0])
    expect(page.locator("#refusal-remedy")).to_have_text(PAYLOADS[3])
    _is_text(page, PAYLOADS[4])


def test_stored_predictions(blank: Page, origin: str) -> None:
    stored = [
        {
            "id": f"0b9f5f0e-6d0c-4d8e-9d53-{number:012d}", "created_at": _NOW, "image_sha256": payload,
            "image_kept": False, "predicted_class": payload, "decision": payload, "model_version": payload,
            "latency_ms": 1.0, "confirmed_class": f"x{payload}", "answer": {"probabilities": {payload: 1.0}},
        }
        for number, payload in enumerate(PAYLOADS)
    ]  # fmt: skip
    blank.route("**/predictions?*", lambda route: route.fulfill(json={"items": stored, "next": None}))
    blank.goto(f"{origin}/history")
    expect(blank.locator("#history-rows tr")).to_have_count(20)
    assert blank.locator(".model").all_text_contents() == list(PAYLOADS)
    _is_text(blank, PAYLOADS[0])


def test_labelled_images(blank: Page, origin: str) -> None:
    items = [
        {
            "id": f"0b9f5f0e-6d0c-4d8e-9d53-{number:012d}", "sha256": "0" * 64, "class_name": payload, "group": payload,
            "split": payload, "source": payload, "status": "quarantined", "is_kept": False, "width": 1, "height": 1,
            "reasons": [{"code": payload, "detail": payload}], "batch_id": payload, "added_at": _NOW,
        }
        for number, payload in enumerate(PAYLOADS)
    ]  # fmt: skip
    rows = [{"class_name": one, "split": "train", "source": one, "count": 1} for one in PAYLOADS]
    example = {"image_id": "a", "other_image_id": "b"}
    findings = [
        {"code": one, "severity": one, "sentence": one, "examples": [example | {"class_name": one, "detail": one}]}
        for one in PAYLOADS
    ]
    dataset: dict[str, Any] = {
        "classes": list(PAYLOADS), "distribution": rows, "quarantined": 20, "since_last_run": 0, "findings": findings,
        "label_next": [],
    }  # fmt: skip
    blank.route("**/dataset", lambda route: route.fulfill(json=dataset))
    blank.route("**/dataset/images?*", lambda route: route.fulfill(json={"items": items, "next": None}))
    blank.goto(f"{origin}/data")
    expect(blank.locator(".doubt")).to_have_count(20)
    expect(blank.locator(".finding")).to_have_count(20)
    expect(blank.locator(".image")).to_have_count(20)
    _is_text(blank, *PAYLOADS)


def test_a_series(blank: Page, origin: str) -> None:
    named = dict.fromkeys(PAYLOADS, 1 / len(PAYLOADS))
    result: dict[str, Any] = {
        "id": "0b9f5f0e-6d0c-4d8e-9d53-0c6f9a5f7f55", "predicted_class": PAYLOADS[0], "probabilities": named,
        "cancer_probability": 0.5, "decision": PAYLOADS[1],
    }  # fmt: skip
    problems = [{"index": n + 1, "result": None, "problem": {"title": one}} for n, one in enumerate(PAYLOADS)]
    aggregate = {
        "slices": 1, "used": 1, "cancer_probability": 0.5, "probabilities": named, "mean_probabilities": named,
        "predicted_class": PAYLOADS[2], "most_suspicious": [0], "decision": "review",
    }  # fmt: skip
    series = {"order": [0], "positions_mm": [None], "warnings": list(PAYLOADS), "aggregate": aggregate}
    study = {"series": [series], "warnings": list(PAYLOADS), "answered": 1, "refused": 20}
    items = [{"index": 0, "result": result, "problem": None}, *problems]
    blank.route("**/predict/study", lambda route: route.fulfill(json=study | {"items": items}))
    blank.goto(f"{origin}/study")
    choose(blank, ("series.zip", b"PK"))
    expect(blank.locator("#slices-list li")).to_have_count(21)
    _is_text(blank, PAYLOADS[2], *PAYLOADS)


def test_what_may_start_a_run(blank: Page, origin: str) -> None:
    told = {"at": _NOW, "did": "failed", "triggers": list(PAYLOADS), "reason": PAYLOADS[0]}
    automation = dict.fromkeys(("after_images", "every_hours", "drift", "corrections")) | {
        "action": "run", "new_images": 0, "outcome": told, "triggers": [],
    }  # fmt: skip
    blank.route("**/automation", lambda route: route.fulfill(json=automation))
    blank.goto(f"{origin}/training")
    expect(blank.locator("#automation-outcome")).to_contain_text(PAYLOADS[0])
    _is_text(blank, PAYLOADS[0])


def test_notes_and_failures_of_runs(blank: Page, origin: str) -> None:
    runs = [
        {
            "id": str(number), "status": "failed", "mode": "head", "policy": "auto", "note": payload,
            "failure": payload,
            "created_at": _NOW, "started_at": None, "ended_at": None, "stage": payload, "progress": 0,
            "seconds_left": None, "epochs": [], "snapshot_digest": payload, "n_images": 1, "parent_version": payload,
            "model_version": payload, "cancel_requested_at": None, "report": None,
        }
        for number, payload in enumerate(PAYLOADS)
    ]  # fmt: skip
    blank.route("**/training-runs?*", lambda route: route.fulfill(json={"items": runs, "next": None}))
    blank.goto(f"{origin}/training")
    expect(blank.locator("#runs-rows tr")).to_have_count(20)
    _is_text(blank, *PAYLOADS)
    assert blank.locator(".run-note").all_text_contents() == list(PAYLOADS)


def test_versions_of_models(blank: Page, origin: str) -> None:
    models = [
        {
            "version": payload, "created_at": _NOW, "aliases": [payload] if number else ["champion"],
            "parent_version": payload, "run_id": None, "snapshot_digest": None, "code_version": "", "headline": None,
            "is_served": False,
        }
        for number, payload in enumerate(PAYLOADS)
    ]  # fmt: skip
    listed = {"items": models, "shadow": None, "rollback_to": PAYLOADS[1]}
    detail = models[1] | {"manifest": {}, "metrics": None, "report": None, "files": {}, "card": "\n".join(PAYLOADS)}
    blank.route(f"{origin}/models", lambda route: route.fulfill(json=listed))
    blank.route(f"{origin}/models/*", lambda route: route.fulfill(json=detail))
    blank.goto(f"{origin}/registry")
    expect(blank.locator("#models-rows tr")).to_have_count(20)
    expect(blank.locator("#card-text")).to_contain_text(PAYLOADS[0])
    _is_text(blank, *PAYLOADS)
    blank.get_by_role("button", name="Roll back").click()
    expect(blank.get_by_role("dialog")).to_contain_text(PAYLOADS[1])
    assert blank.locator("dialog :is(script, img, svg)").count() == 0
