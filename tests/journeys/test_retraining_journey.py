"""From an upload to another answer and back, on a small part of the real data, over HTTP, on both databases."""

from __future__ import annotations

import http.client
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from hilum.imaging.decode import decode
from hilum.inference.bundle import open_bundle
from hilum.storage.database import Database
from hilum.storage.schema import upgrade
from journey_client import PATIENCE_S, ask, predict, send, until_served
from real_subset import slices_of, spread, train_weak_champion
from server_process import RunningServer, running_server


@pytest.fixture(scope="module")
def weak_champion(reference_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that learnt from a handful of real slices: one that more of them change."""
    return train_weak_champion(reference_data, tmp_path_factory.mktemp("weak"), epochs=4)


@pytest.fixture(scope="module")
def upload(reference_data: Path) -> bytes:
    """A zip with a folder a class, of both splits; with a copy of a test image and a picture that is no CT slice."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for split, count, normal in (("test", 10, 16), ("train", 24, 60)):
            for name, files in slices_of(reference_data, split, count, normal).items():
                for file in files:
                    archive.writestr(f"{split}/{name}/{file.name}", file.read_bytes())
        copied = spread(reference_data / "test" / "adenocarcinoma", 10)[0]
        archive.writestr("train/adenocarcinoma/copy-of-a-test-image.png", copied.read_bytes())
        photo = min((reference_data.parent / "not-chest-ct" / "natural").iterdir())
        archive.writestr(f"train/normal/photo{photo.suffix}", photo.read_bytes())
    return packed.getvalue()


def _events(server: RunningServer, run_id: str) -> list[dict[str, Any]]:
    """The run at each change, until it has ended."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    connection.request("GET", f"/training-runs/{run_id}/events")
    stream = connection.getresponse().read().decode()
    connection.close()
    return [json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: ")]


def test_from_an_upload_to_another_answer_and_back(
    weak_champion: Path, upload: bytes, reference_data: Path, database_url: str, tmp_path: Path
) -> None:
    database = Database(database_url)
    upgrade(database)
    database.close()
    settings = {"HILUM_DATABASE_URL": database_url, "HILUM_PROMOTION": "manual"}
    champion = open_bundle(weak_champion).manifest.model_version
    gate = open_bundle(weak_champion).load_gate(threads=1)
    assert gate is not None
    with running_server(weak_champion, tmp_path / "log", settings) as server:
        until_served(server, champion)
        report = send(server, "/upload-data", "files", "slices.zip", upload)
        reasons = {item["code"] for item in report["items"]}
        assert {"holdout-image", "not-a-chest-ct"} <= reasons
        assert report["accepted"] > 80
        assert report["quarantined"] >= 1

        held_out = slices_of(reference_data, "test", 10, 16)
        slices = {file: file.read_bytes() for files in held_out.values() for file in files}
        slices = {file: data for file, data in slices.items() if not gate.judge(decode(data).pixels).is_refused}
        before = {file: predict(server, data) for file, data in slices.items()}

        asked = ask(server, "POST", "/retrain", json.dumps({"mode": "head", "note": "journey"}).encode())
        assert asked["parent_version"] == champion
        told = _events(server, asked["id"])
        run = told[-1]
        assert run["status"] == "awaiting-approval", (run["failure"], run["report"])
        assert {"queued", "running"} & {earlier["status"] for earlier in told[:-1]}
        assert run["progress"] == 1
        assert run["epochs"]
        assert {check["name"] for check in run["report"]["checks"]} >= {"accuracy", "calibration", "not-a-chest-ct"}

        assert run["report"]["verdict"] == (
            "promote" if all(c["passed"] for c in run["report"]["checks"]) else "refuse"
        )
        challenger = run["model_version"]
        assert ask(server, "GET", "/health")["model_version"] == champion
        ask(server, "POST", f"/models/{challenger}/promote", b"{}")
        until_served(server, challenger)
        after = {file: predict(server, data) for file, data in slices.items()}
        assert {answer["model_version"] for answer in after.values()} == {challenger}
        changed = [file for file in slices if before[file]["predicted_class"] != after[file]["predicted_class"]]
        assert changed
        assert len(run["report"]["flipped"]) >= 1
        model = ask(server, "GET", f"/models/{challenger}")
        assert model["run_id"] == run["id"]
        assert model["parent_version"] == champion

        ask(server, "POST", "/models/rollback")
        until_served(server, champion)
        for file in changed:
            again = predict(server, slices[file])
            assert again["probabilities"] == before[file]["probabilities"]
            assert again["model_version"] == champion
        assert not list((tmp_path / "home" / "training").iterdir())
