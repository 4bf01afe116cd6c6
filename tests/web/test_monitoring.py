"""`GET /monitoring/drift` and what `/metrics` says of it, from uploads to the alert."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from web_serving import HOSTS, open_history, serving, tiny_service

from hilum.imaging.body import find_body
from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.statistics import STATISTICS, statistics_of
from hilum.inference.bundle import add_to_bundle
from hilum.inference.input_reference import INPUTS, InputReference
from hilum.inference.predictor import Predictor
from hilum.services.drift_monitor import DriftMonitor
from hilum.web.app import create_app
from hilum.web.metrics import Instruments
from hilum.web.standing import Standing

_N = 60


def png(seed: int, *, shift: int = 0) -> bytes:
    """A phantom of another site: brighter by `shift` grey levels."""
    pixels = np.clip(draw_phantom(seed).astype(int) + shift, 0, 255).astype(np.uint8)
    return cv2.imencode(".png", pixels[::4, ::4])[1].tobytes()


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle, with a description of phantoms as its training inputs."""
    folder = tmp_path_factory.mktemp("described") / "tiny"
    shutil.copytree(tiny_bundle, folder)
    predictor = Predictor.load(tiny_bundle)
    found = [predictor.predict(png(seed)) for seed in range(1000, 1200)]
    InputReference.of([one.statistics for one in found], [one.predicted_class for one in found]).save(folder / INPUTS)
    add_to_bundle(folder, [folder / INPUTS])
    return folder


@pytest.fixture
def client(bundle: Path, tmp_path: Path) -> Iterator[TestClient]:
    """A client of an app that looks for drift."""
    history = open_history(f"sqlite:///{tmp_path / 'hilum.db'}", tmp_path / "blobs")
    service = tiny_service(bundle)
    drift = DriftMonitor(service, history, window=_N)
    with TestClient(
        create_app(service, history=history, drift=drift, allowed_hosts=HOSTS), base_url="http://localhost"
    ) as client:
        service.loaded.wait(10)
        yield client


def send(client: TestClient, seeds: range, *, shift: int = 0) -> None:
    """Predicts phantoms."""
    files = [("files", ("a.png", png(seed, shift=shift))) for seed in seeds]
    assert client.post("/predict/batch", files=files).json()["refused"] == 0


def test_a_shift_of_intensities_becomes_an_alert(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    assert client.get("/monitoring/drift").json()["status"] == "too-few"
    send(client, range(_N))
    steady = client.get("/monitoring/drift").json()
    assert (steady["status"], steady["alerts"], steady["n"], steady["window"]) == ("steady", [], _N, _N)
    assert {one["name"] for one in steady["inputs"]} == set(STATISTICS)

    with caplog.at_level(logging.WARNING, logger="hilum"):
        send(client, range(100, 100 + _N), shift=40)
        drifted = client.get("/monitoring/drift").json()
    assert drifted["status"] == "drift"
    assert {"grey_low", "grey_median"} <= set(drifted["alerts"])
    assert [record.message for record in caplog.records] == ["recent inputs differ from the training ones"]
    metrics = client.get("/metrics", headers={"accept": "text/plain"}).text
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line.startswith(("drift", "model_info")))
    assert float(values['drift_psi{statistic="grey_median"}']) > 0.25
    assert float(values["drift_alerts"]) == len(drifted["alerts"])
    assert values['model_info{model_version="tiny-20260101-00000000"}'] == "1.0"


def test_a_bundle_that_does_not_describe_its_inputs_says_so(tiny_bundle: Path, tmp_path: Path) -> None:
    history = open_history(f"sqlite:///{tmp_path / 'hilum.db'}", tmp_path / "blobs")
    service = tiny_service(tiny_bundle)
    app = create_app(service, history=history, drift=DriftMonitor(service, history), allowed_hosts=HOSTS)
    with TestClient(app, base_url="http://localhost") as client:
        service.loaded.wait(10)
        send(client, range(3))
        answer = client.get("/monitoring/drift").json()
    assert (answer["status"], answer["n"], answer["inputs"]) == ("no-reference", 3, [])


def test_without_a_history_there_is_nothing_to_compare(tiny_bundle: Path) -> None:
    with serving(tiny_service(tiny_bundle)) as client:
        response = client.get("/monitoring/drift")
    assert (response.status_code, response.json()["code"]) == (404, "history-off")


def test_statistics_are_those_of_the_grey_values() -> None:
    pixels = draw_phantom(1)
    body = find_body(pixels)
    found = statistics_of(pixels, body)
    assert tuple(found) == STATISTICS
    low, median, high = np.percentile(pixels, (5, 50, 95))
    assert [found["grey_low"], found["grey_median"], found["grey_high"]] == pytest.approx([low, median, high], abs=3)
    assert found["lung_level"] == pytest.approx(body.lung, abs=1e-3)
    assert 0 < found["body_share"] <= 1
    assert found["short_side"] == min(pixels.shape)
    as_float = statistics_of(pixels.astype(np.float32), body)
    assert as_float == pytest.approx(found, abs=1)


def test_every_metric_is_documented(tiny_bundle: Path) -> None:
    documented = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text()
    told = set(re.findall(r"^\| `([a-z_]+)` \|", documented, re.MULTILINE))
    scraped = Instruments().with_others(Standing(tiny_service(tiny_bundle)))
    found = {family.name for family in scraped.collect()}
    own = {name for name in found if not name.startswith("process_")}
    assert {name for name in own if name not in told and f"{name}_total" not in told} == set()
    assert {name.removesuffix("_total") for name in told - {*STATISTICS, "predicted_class"}} <= found
