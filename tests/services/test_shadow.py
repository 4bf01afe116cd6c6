"""The challenger answers in the shadow: counted, bounded, and without touching an answer that is given."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hilum.errors import BundleInvalid
from hilum.imaging.decode import CtSlice, decode
from hilum.inference.predictor import Prediction, Predictor
from hilum.services.model import ServedModel, load_model
from hilum.services.shadow import Shadow, ShadowReport
from registered_models import VERSIONS, registered_models
from tiny_bundle import write_tiny_bundle

SEEDS = (203, 10, 5)
"""Of weights: what the first two say of a phantom differs."""


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three bundles that answer differently."""
    home = tmp_path_factory.mktemp("bundles")
    return {
        name: write_tiny_bundle(home / name, version=name, seed=seed)
        for name, seed in zip(VERSIONS, SEEDS, strict=True)
    }


@pytest.fixture
def given(bundles: dict[str, Path], slice_png: bytes) -> Prediction:
    """What the first model says of a slice."""
    return Predictor.load(bundles["tiny-a"]).predict(slice_png)


@pytest.fixture
def started() -> Iterator[Callable[[Shadow], Shadow]]:
    """Starts shadows, and closes them in the end."""
    made: list[Shadow] = []

    def start(shadow: Shadow) -> Shadow:
        made.append(shadow)
        shadow.start()
        return shadow

    yield start
    for shadow in made:
        shadow.close()


def until(condition: Callable[[], bool], within_s: float = 10) -> None:
    """Waits for something that happens on another thread."""
    ends_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.005)


def report_of(shadow: Shadow) -> ShadowReport:
    """What was found; there must be a challenger."""
    assert shadow.report is not None
    return shadow.report


def loaded(shadow: Shadow, version: str) -> None:
    """Follows a challenger and waits until it is loaded."""
    shadow.follow(version)
    until(lambda: shadow._model is not None)


def test_agreement_and_disagreement_are_counted(
    bundles: dict[str, Path], given: Prediction, started: Callable[[Shadow], Shadow]
) -> None:
    shadow = started(Shadow(lambda version: load_model(bundles[version]), lambda: True, share=1.0))
    assert shadow.report is None
    shadow.offer(given)
    other = Predictor.load(bundles["tiny-b"]).predict_slice(given.ct_slice)
    loaded(shadow, "tiny-b")
    for n in range(3):
        shadow.offer(given)
        until(lambda n=n: report_of(shadow).compared == n + 1)
    report = report_of(shadow)
    is_other = other.predicted_class != given.predicted_class
    assert (report.version, report.disagreed, report.refused, report.skipped) == ("tiny-b", 3 * is_other, 0, 0)
    shown = report.to_dict()["disagreement"]
    assert (shown["value"], shown["n"]) == (float(is_other), 3)
    assert 0 <= shown["low"] <= shown["value"] <= shown["high"] <= 1

    loaded(shadow, "tiny-a")
    shadow.offer(given)
    until(lambda: report_of(shadow).compared == 1)
    assert report_of(shadow).disagreed == 0
    shadow.follow(None)
    assert shadow.report is None
    shadow.offer(given)


def test_the_two_bundles_disagree_on_some_phantom(bundles: dict[str, Path], given: Prediction) -> None:
    assert Predictor.load(bundles["tiny-b"]).predict_slice(given.ct_slice).predicted_class != given.predicted_class


class SlowPredictor:
    """Waits before it answers."""

    def __init__(self, model: ServedModel) -> None:
        """Wraps the predictor of `model`."""
        self.manifest = model.predictor.manifest
        self.inner = model.predictor
        self.entered, self.release = threading.Event(), threading.Event()

    def predict_slice(self, ct_slice: CtSlice) -> Prediction:
        """Waits, then answers."""
        self.entered.set()
        assert self.release.wait(20)
        return self.inner.predict_slice(ct_slice)


def test_a_slow_challenger_makes_nobody_wait(
    bundles: dict[str, Path], given: Prediction, started: Callable[[Shadow], Shadow]
) -> None:
    slow = SlowPredictor(load_model(bundles["tiny-b"]))
    shadow = started(Shadow(lambda _: ServedModel(slow), lambda: True, share=1.0))  # type: ignore[arg-type]
    loaded(shadow, "tiny-b")
    shadow.offer(given)
    assert slow.entered.wait(10)
    for _ in range(20):
        shadow.offer(given)
    assert report_of(shadow).skipped == 16
    assert report_of(shadow).compared == 0
    slow.release.set()
    until(lambda: report_of(shadow).compared == 5)


def test_a_busy_server_and_a_small_share_leave_it_out(
    bundles: dict[str, Path], given: Prediction, started: Callable[[Shadow], Shadow]
) -> None:
    is_idle = threading.Event()
    chosen = iter([0.05, 0.5, 0.09, 0.1, 0.99])
    shadow = started(
        Shadow(lambda version: load_model(bundles[version]), is_idle.is_set, share=0.1, choose=lambda: next(chosen))
    )
    loaded(shadow, "tiny-b")
    for _ in range(5):
        shadow.offer(given)
    assert (report_of(shadow).skipped, report_of(shadow).compared) == (2, 0)
    none = started(Shadow(lambda version: load_model(bundles[version]), lambda: True, share=0.0))
    none.follow("tiny-b")
    assert none.report is None


def test_a_challenger_that_cannot_be_loaded_is_said_and_left_alone(
    given: Prediction, started: Callable[[Shadow], Shadow]
) -> None:
    tried: list[str] = []

    def load(version: str) -> ServedModel:
        tried.append(version)
        raise BundleInvalid("it is damaged")

    shadow = started(Shadow(load, lambda: True, share=1.0))
    shadow.follow("tiny-b")
    until(lambda: report_of(shadow).trouble is not None)
    shadow.offer(given)
    time.sleep(0.05)
    assert report_of(shadow).trouble == "it is damaged"
    assert tried == ["tiny-b"]


def test_a_challenger_that_fails_harms_nobody(
    bundles: dict[str, Path], given: Prediction, started: Callable[[Shadow], Shadow], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(SlowPredictor):
        def predict_slice(self, ct_slice: CtSlice) -> Prediction:
            raise ZeroDivisionError

    broken = ServedModel(Broken(load_model(bundles["tiny-b"])))  # type: ignore[arg-type]
    shadow = started(Shadow(lambda _: broken, lambda: True, share=1.0))
    loaded(shadow, "tiny-b")
    shadow.offer(given)
    until(lambda: report_of(shadow).refused == 1)
    assert "ZeroDivisionError" in caplog.text


def test_a_deployment_compares_the_challenger_until_it_is_promoted(
    database_url: str, tmp_path: Path, bundles: dict[str, Path], slice_png: bytes
) -> None:
    with registered_models(database_url, tmp_path, bundles) as models:
        for folder in bundles.values():
            models.registry.register(folder)
        with models.serving(shadow_share=1.0) as ask:
            ask.look()
            ask.shadow.start()
            models.registry.challenge("tiny-b")
            ask.look()
            until(lambda: ask.shadow._model is not None)
            answer = asyncio.run(ask.service.predict(slice_png))
            until(lambda: report_of(ask.shadow).compared == 1)
            expected = load_model(bundles["tiny-b"]).predictor.predict_slice(decode(slice_png))
            assert answer.model_version == "tiny-a"
            assert report_of(ask.shadow).disagreed == (expected.predicted_class != answer.predicted_class)
            ask.promote("tiny-b", actor="cli")
            ask.look()
            assert ask.shadow.report is None
