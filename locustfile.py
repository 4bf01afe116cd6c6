"""People who use hilum, and how many of them there are over time: `locust --shape spike --host http://127.0.0.1:8000`.

Images come from $HILUM_DATA where it is there, else they are drawn. docs/load-testing.md has the figures.
"""

from __future__ import annotations

import itertools
import os
import random
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, ClassVar

import cv2
from locust import HttpUser, LoadTestShape, between, events, task

from hilum.imaging.phantoms import draw_phantom

STAGES: dict[str, list[tuple[float, int]]] = {
    "baseline": [(60, 4)],
    "stress": [(30, 4), (30, 8), (30, 16), (30, 32), (30, 64), (30, 128)],
    "spike": [(30, 4), (30, 40), (60, 4)],
    "soak": [(3600, 8)],
}
"""Seconds and people, one stage after the other."""

_DRAWN = 24


@events.init_command_line_parser.add_listener
def _options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--shape", choices=sorted(STAGES), default="baseline", help="how many people there are over time"
    )
    parser.add_argument("--pace", type=float, default=1.0, help="stages last so many times as long")
    parser.add_argument(
        "--key", default="", env_var="HILUM_LOAD_KEY", is_secret=True, help="API key, where one is needed"
    )


class People(LoadTestShape):
    """As many people as the stage of --shape says."""

    def tick(self) -> tuple[int, float] | None:
        """How many people there are now, and how many come or go a second; None at the end."""
        options = self.runner.environment.parsed_options
        ends_at = 0.0
        for seconds, people in STAGES[options.shape]:
            ends_at += seconds * options.pace
            if self.get_run_time() < ends_at:
                return people, 100
        return None


def _real_slices() -> list[tuple[str, bytes]]:
    """The reference data's test images; none where they are not there."""
    folder = Path(os.environ.get("HILUM_DATA", Path(__file__).resolve().parent.parent / "shared" / "data"))
    files = sorted((folder / "chest-ct-scan-images" / "test").rglob("*"))
    return [(file.name, file.read_bytes()) for file in files if file.is_file()]


def _drawn_slice(seed: int) -> tuple[str, bytes]:
    return f"drawn-{seed}.png", cv2.imencode(".png", draw_phantom(seed))[1].tobytes()


def _trains_nothing(response: Any) -> bool:
    """Whether the server says that it has no worker to train with."""
    return response.status_code == 503 and response.json()["code"] == "training-unavailable"


class Person(HttpUser):
    """What all have in common: a key, a set of slices, and the predictions they made."""

    abstract = True
    slices: ClassVar[list[tuple[str, bytes]]] = []
    turns: ClassVar[Any] = itertools.count()
    offered: ClassVar[set[str]] = set()

    def on_start(self) -> None:
        """Reads what the server offers, once."""
        self.mine: list[str] = []
        if self.environment.parsed_options.key:
            self.client.headers["Authorization"] = f"Bearer {self.environment.parsed_options.key}"
        if not Person.slices:
            Person.slices = _real_slices() + [_drawn_slice(seed) for seed in range(_DRAWN)]
        if not Person.offered:
            Person.offered = set(self.client.get("/openapi.json").json()["paths"])

    def predict(self) -> None:
        """Asks for the next slice's class; refused as no chest CT is an answer, turned away is none."""
        slice_ = Person.slices[next(Person.turns) % len(Person.slices)]
        with self.client.post("/predict", files={"file": slice_}, catch_response=True) as response:
            if response.status_code == 200:
                self.mine = [*self.mine[-20:], response.json()["id"]]
            elif response.status_code == 422 and response.json()["code"] == "not-a-chest-ct":
                response.success()


class Reader(Person):
    """Sends slices one after the other, looks at what spoke for an answer, sometimes at a page of the history."""

    weight = 8
    wait_time = between(0.05, 0.2)

    @task(20)
    def send(self) -> None:
        """A slice."""
        self.predict()

    @task(2)
    def look(self) -> None:
        """One's own last answer, and its heat map."""
        if self.mine:
            chosen = random.choice(self.mine)
            self.client.get(f"/predictions/{chosen}", name="/predictions/{id}")
            headers = {"Accept": "image/png"}
            self.client.get(f"/predictions/{chosen}/explanation", name="/predictions/{id}/explanation", headers=headers)


class Visitor(Person):
    """Looks around: the page, how good the model is, the history."""

    weight = 2
    wait_time = between(0.5, 1.5)

    @task(2)
    def page(self) -> None:
        """The page itself and what it loads first."""
        self.client.get("/")
        self.client.get("/health")
        self.client.get("/metrics", headers={"Accept": "application/json"})

    @task(2)
    def history(self) -> None:
        """The newest answers, and those for review."""
        self.client.get("/predictions?limit=50", name="/predictions")
        self.client.get("/predictions?limit=50&decision=review", name="/predictions?decision=review")

    @task(1)
    def runs(self) -> None:
        """Models and training runs."""
        self.client.get("/models")
        with self.client.get("/training-runs", catch_response=True) as response:
            if _trains_nothing(response):
                response.success()


class Annotator(Person):
    """Confirms answers, uploads a labelled slice now and then, and asks for a retraining once."""

    weight = 1
    wait_time = between(1, 3)

    @task(6)
    def confirm(self) -> None:
        """Predicts, and says what it really was."""
        self.predict()
        if self.mine:
            label = {"confirmed_class": "normal"}
            self.client.post(f"/predictions/{self.mine[-1]}/feedback", json=label, name="/predictions/{id}/feedback")

    @task(2)
    def upload(self) -> None:
        """A labelled slice; one that is there already is reported, not refused."""
        if "/upload-data" in Person.offered:
            seed = random.randrange(10_000, 1_000_000)
            files = [("files", _drawn_slice(seed))]
            with self.client.post(
                "/upload-data", files=files, data={"label": "normal"}, catch_response=True
            ) as response:
                if response.status_code == 422:  # a drawing may be told from a CT slice: quarantined
                    response.success()

    @task(1)
    def retrain(self) -> None:
        """One at a time, with enough data and a worker: 409 and 503 `training-unavailable` say that it is not so."""
        with self.client.post("/retrain", json={"mode": "head"}, catch_response=True) as response:
            if response.status_code == 409 or _trains_nothing(response):
                response.success()
